/* What the parts of the journeys share: the records and who guards them. */
#pragma once

#include "accepted.h"
#include "base/limits.h"
#include "budget.h"
#include "early.h"
#include "hits.h"
#include "joins.h"
#include "journey/journeys.h"
#include "learn.h"
#include "neighbours.h"
#include "os/thread.h"
#include "steps.h"
#include "store/store.h"
#include "table.h"
#include "vault.h"
#include "watch.h"
#include "whose.h"

#include <stdatomic.h>

struct fg_builder;
struct fg_consumed;
struct fg_gone;
struct fg_trace_reader;

/* How long the follower waits for spans before it looks after what is due. */
#define FG_JOURNEYS_TICK_NS (200 * FG_NS_PER_MS)

/* One attribute that names journeys. */
struct fg_watched_key {
    struct fg_slice name;
    const struct fg_flow *flow; /* NULL: none is declared, accepted or learned */
    uint32_t flow_index;        /* each key has one of its own */
    bool is_declared;
    uint64_t step_since_ns[FG_FLOW_STEPS_MAX]; /* when a step became what it is; 0: ever */
    bool is_provisional;             /* the flow was learned, and nobody has accepted it */
    struct fg_learned *learned;      /* what completed journeys taught */
    struct fg_accepted *accepted;    /* what of it was accepted; NULL: nothing */
    uint64_t planned;                /* journeys that were planned to be learned from */
    uint64_t proposed_total;         /* journeys that were learned when a flow was proposed last */
    bool was_accepted;               /* accepted or withdrawn since the follower looked */
    uint64_t hash;                   /* of the name: what tells its records apart on disk */
    uint32_t name_index, shown_name; /* in names: of the key, of the flow's shown-key */
};

/* A change, kept with its texts. */
struct fg_kept_change {
    struct fg_journey_change change;
    uint8_t bytes[FG_JOURNEY_VALUE_SIZE_MAX + 256];
};

/* What fetch.c needs for reading the traces of stored spans; made when it is first wanted. */
struct fg_fetch {
    struct fg_builder *builder;
    struct fg_names names;
    struct fg_trace_ref *known;  /* whose records are in memory, by a part of the hash */
    uint64_t since_ns, spent_ns; /* of this second, on reading */
    struct fg_vault_due due;     /* where the search for those due is */
};

/* room.c: of the records in memory. */
struct fg_room {
    uint32_t least, most, given;
    uint32_t stored;     /* what was given, as it is on disk */
    uint32_t count;      /* of records when room was made last, and of those filled in since */
    uint64_t dropped;    /* that have gone since, since they had ended */
    uint64_t returned;   /* that were read back since, because spans of theirs came */
    uint64_t met;        /* traces that came since to records which were in memory already */
    uint64_t page_bytes; /* of the keyed state that may stay in memory for them */
};

/* Reading in what is on disk alone: how often the walk still comes to its end. */
struct fg_fill {
    struct fg_vault_walk walk;
    uint64_t filled_ns;
    uint32_t ends_to_come;
};

enum { FG_HISTORY_SENDERS_MAX = 16 };

struct fg_history_sender {
    uint64_t id;
    uint64_t declared_ns; /* all until then was sent */
    uint64_t declared_at_ns;
};

struct fg_hearing {
    _Atomic uint64_t heard_ns; /* by the wall clock: all that came before it was read */
    uint64_t sampled_wall_ns;  /* before the read that goes on */
    uint64_t opened_at_ns;
    struct fg_mutex lock; /* guards what follows */
    struct fg_history_sender senders[FG_HISTORY_SENDERS_MAX];
    uint32_t sender_count;
    bool is_sampled;
    /* Until then all was sent of history and, read_ns, read; FG_HISTORY_ENDED: there is none. */
    uint64_t sampled_ns, read_ns;
    uint64_t history_begin_ns;
};

struct fg_journeys {
    struct fg_hearing hearing;
    struct fg_journeys_options options;
    struct fg_watched_key keys[FG_JOURNEY_KEYS_MAX];
    uint32_t key_count;
    struct fg_made_flow *made; /* flows that were made of what was learned, until the close */
    uint32_t made_count;
    struct fg_neighbours *neighbours;
    struct fg_watch *watch;
    struct fg_steps *steps[FG_FLOWS_MAX];                /* the follower's own */
    uint32_t learned_table, accepted_table, early_table; /* of the state */

    _Atomic uint32_t askers; /* who wait for the mutex to ask something */
    struct fg_cond entered;  /* all of them have got it */
    struct fg_mutex mutex;   /* guards what follows; the follower alone changes it */
    struct fg_table table;
    struct fg_room room;
    uint32_t *dirty; /* records to judge, as a stack that is emptied round by round */
    uint32_t dirty_count, dirty_capacity;
    uint32_t *changed; /* records that are not on disk as they are */
    uint32_t changed_count, changed_capacity;
    uint64_t absent_count; /* records on disk alone; those in by_state and standing, too */
    bool reindex_wanted;
    bool must_rebuild;              /* records of the log were missed, or could not be taken */
    const struct fg_erased *erased; /* what another thread waits for, until it is NULL again */
    struct fg_gone *gone;           /* whose names are found to be gone by it */
    bool is_erasing;                /* the follower is at it */
    int erased_result;
    uint64_t by_state[FG_JOURNEY_STATE_COUNT];
    uint32_t standing[FG_FLOWS_MAX][FG_FLOW_STEPS_MAX]; /* journeys that expect this step */
    struct fg_hop_deadline deadlines[FG_FLOWS_MAX][FG_FLOW_STEPS_MAX]; /* in force */
    struct fg_journeys_counters counters;
    struct fg_kept_change *changes; /* a ring of FG_JOURNEY_CHANGES_KEPT, by sequence */
    uint64_t change_count;

    /* the follower's own */
    struct fg_vault *vault;      /* NULL: records are not durable */
    struct fg_deafness deafness; /* before the opening; a leader's is its guests', too */
    bool is_loaded;              /* the records that were on disk at the start are known */
    struct fg_vault_walk sweep;  /* where the looking after of the disk is */
    struct fg_fill fill;
    /* of the traces that went to disk of late, and how many of them had spans that named no journey
     */
    uint32_t traces_put, traces_unnamed;
    bool is_full;                /* the keyed state is nearly full: no new journey is followed */
    uint64_t read_position;      /* of the log: all before it is in the records */
    uint64_t committed_position; /* and in those on disk */
    uint64_t committed_ns, swept_ns, moved_ns;
    uint64_t heard_ns; /* when it was put down last that somebody listens */
    struct fg_joins *joins;
    struct fg_early *early; /* NULL: nothing yet */
    struct fg_fetch fetch;
    uint32_t rule_names[FG_KEY_RULES_MAX]; /* in names: what each rule of keys reads */
    uint32_t rule_keys[FG_KEY_RULES_MAX];  /* in keys: whose value it gives */
    uint32_t message_names[2];             /* in names: a message's id */
    struct fg_names names;                 /* attributes that say something of whose a span is */
    struct fg_follow_position position;
    uint64_t followed_ns;     /* by the wall clock: when nothing was missed the last time */
    uint64_t rebuild_from_ns; /* starts of spans that a rebuilding reads */
    uint32_t *owner;          /* scratch: by row its record */
    uint32_t owner_capacity;
    struct fg_hits hits; /* scratch */
    struct fg_builder *builder;
    struct fg_arena arena;
    struct fg_trace_reader *reader; /* NULL: nothing was read since it was ended last */

    uint64_t due_ns;         /* when it was last looked who is due of those on disk alone */
    uint64_t judge_ns;       /* what judging one takes, as it went of late */
    uint64_t judge_since_ns; /* when it was last allowed to; and what may be spent on it */
    int64_t judge_left_ns;   /* below 0: the last one took more than there was */
    uint64_t learn_until_ns; /* of this tick: what is to be learned after it has to wait */
    uint32_t learn_later;    /* how many that are */
    struct fg_budget budget; /* of judging; a leader's is its guests', too */
    /* Of a leader: whom it reads the log for, by tenant. Slots are filled once and stay. */
    _Atomic(struct fg_journeys *) guests[FG_TENANTS_MAX];
    _Atomic bool has_guests;
    _Atomic uint64_t unknown_tenants; /* bits: spans of theirs were passed over */
    bool guests_behind; /* its thread's own: what they took is not on disk as far as the log was
                           read */
    uint64_t guests_committed_ns;

    struct fg_thread thread;
    struct fg_cond cond;
    bool has_thread, is_stopping;
};

/* take.c: what a batch tells of journeys. With bits NULL all rows. Follower's thread, mutex held.
 * FG_ENOMEM: some of it may have been taken. */
FG_MUST_CHECK int fg_journeys_take(struct fg_journeys *journeys, const struct fg_batch *batch,
                                   uint32_t row_begin, uint32_t row_end, const uint64_t *bits);

/* -- reach.c. Mutex held. */

/* A span tells that the record's journey reached a step then. */
void fg_journeys_reach(struct fg_journeys *journeys, uint32_t record, uint32_t step,
                       uint64_t at_ns);
/* The record has got a trace: what its spans told before that. */
void fg_journeys_catch_up(struct fg_journeys *journeys, uint32_t record, struct fg_trace_ref trace);

/* Tells the neighbours how long the hop to a step took, where the step before it was reached. */
void fg_journeys_tell_hop(struct fg_journeys *journeys, const struct fg_record *record,
                          uint32_t step);

/* -- Who may have the mutex: an answer never waits for more than a moment of the follower's work,
 * and never for the disk. The follower alone changes the records, so that it may read them without
 * the mutex, and gives it up between two of them to who waits. */

/* To ask something, from any thread; fg_mutex_unlock() ends it. */
void fg_journeys_enter(struct fg_journeys *journeys);
/* The follower's own way in: after those who wait already. */
void fg_journeys_follow(struct fg_journeys *journeys);
/* Between two records, follower's thread, mutex held: lets those in who wait. Numbers of records
 * stay what they are. */
void fg_journeys_let_in(struct fg_journeys *journeys);

/* A record has to be judged. Mutex held. */
void fg_journeys_doubt(struct fg_journeys *journeys, uint32_t record);

/* -- room.c: how many records memory holds. Follower's thread, mutex held. */

/* At the opening, once it is known whether records are durable. */
void fg_journeys_open_room(struct fg_journeys *journeys);
void fg_journeys_close_room(struct fg_journeys *journeys);
/* Before records are read at a start: as much room as there was when the server ended. Mutex
 * held. */
FG_MUST_CHECK int fg_journeys_recall_room(struct fg_journeys *journeys);
/* Behind it: what comes from now on tells whether there is too much or too little. */
void fg_journeys_begin_room(struct fg_journeys *journeys);
/* Puts it into a batch, where it has changed. */
void fg_journeys_put_room(struct fg_journeys *journeys, struct fg_state_batch *batch);
/* At most so many from now on; what is more stays until it is evicted. */
void fg_journeys_bound_room(struct fg_journeys *journeys, uint32_t most);
/* Whether three quarters of the room are taken: what comes back on its own, and what is new, needs
 * some, too. */
bool fg_journeys_is_filled(const struct fg_journeys *journeys);
/* Where there is little left: memory is given more room where that is of use, and otherwise
 * records go, as with fg_journeys_evict(). */
FG_MUST_CHECK int fg_journeys_make_room(struct fg_journeys *journeys);

/* -- fill.c. Follower's thread. */

/* There is more room than there was: those under way that are on disk alone are read, some at each
 * tick, until three quarters of it are full. */
void fg_journeys_begin_fill(struct fg_journeys *journeys);
/* Reads some of them. Mutex not held. FG_ENOMEM, what the keyed state fails with. */
FG_MUST_CHECK int fg_journeys_fill(struct fg_journeys *journeys);

/* Makes room for new records: a quarter at least, and where more are well up to so many eighths.
 * Numbers of records change. Mutex held, but not while the disk is waited for or the table is made
 * anew. FG_ENOMEM. */
#define FG_JOURNEYS_EIGHTHS 3u
FG_MUST_CHECK int fg_journeys_evict(struct fg_journeys *journeys, uint32_t eighths);

/* What finds records has room for so many more of them and of their traces, and takes no more
 * memory than that needs: where it has to be made anew others don't wait for it. Mutex held, but
 * not meanwhile. FG_ENOMEM. */
FG_MUST_CHECK int fg_journeys_widen(struct fg_journeys *journeys, uint32_t records,
                                    uint32_t traces);
/* Gives back the memory of records that there is no room for any more, some of it at a time:
 * numbers of records change. Mutex held. */
void fg_journeys_close_ranks(struct fg_journeys *journeys);

/* Puts a record into a state, and keeps the counts. Mutex held. */
void fg_journeys_set_state(struct fg_journeys *journeys, uint32_t record,
                           enum fg_journey_state state, uint8_t expected_step);

/* Where a record stands after its steps changed: state, deadline, when to look. Mutex held. */
void fg_journeys_stand(struct fg_journeys *journeys, uint32_t record);

/* changes.c: notes that a record is not any more in the state that it was in. Mutex held. */
void fg_journeys_note(struct fg_journeys *journeys, uint32_t record, enum fg_journey_state from);
/* No change of theirs is told any more. Mutex held. */
void fg_journeys_forget_changes(struct fg_journeys *journeys, const struct fg_gone *gone);

/* pass.c: calls fn with each record of a set, some at a time, so that neither the follower nor
 * another question waits for all of them; again where their numbers changed on the way, with what
 * reset leaves. *ret_version: of the numbers. Mutex held in fn. FG_EAGAIN: they changed again and
 * again.
 */
FG_MUST_CHECK int fg_journeys_pass(struct fg_journeys *journeys, enum fg_table_set set,
                                   int (*fn)(void *arg, uint32_t record), void (*reset)(void *arg),
                                   void *arg, uint64_t *ret_version);
/* Whether the numbers are those of the pass. Mutex held. */
bool fg_journeys_is_version(const struct fg_journeys *journeys, uint64_t version);

/* What is wrong with a record, or who has to act: what was found, and where nobody looked yet what
 * the flow says, so that a journey which comes to a person need not be read for it: of a company's
 * orders nearly all wait for somebody. Empty where nothing is to be said. Mutex held. */
struct fg_words {
    struct fg_slice service, name, text;
    double confidence;
};
struct fg_words fg_journeys_words(const struct fg_journeys *journeys,
                                  const struct fg_record *record);

/* list.c. Mutex held. */
bool fg_journeys_passes(const struct fg_journeys *journeys, const struct fg_journey_filter *filter,
                        const struct fg_record *record);

/* -- keep.c: records on disk. Follower's thread; where there is no vault they do nothing. */

/* The record differs from what is on disk. Mutex held. */
void fg_journeys_changed(struct fg_journeys *journeys, uint32_t record);
/* At the opening: since when nobody listened. */
FG_MUST_CHECK int fg_journeys_recall_deafness(struct fg_journeys *journeys);
/* Puts down that somebody listens, for a start that does not follow an end. Mutex not held. */
FG_MUST_CHECK int fg_journeys_put_heard(struct fg_journeys *journeys);
/* Reads the records at a start. Mutex not held. */
FG_MUST_CHECK int fg_journeys_load(struct fg_journeys *journeys);
/* Whether each trace of a record that goes to disk leads to it, and not those alone that have had
 * spans which name no journey. */
bool fg_journeys_list_traces(const struct fg_journeys *journeys);
/* Puts a record as it is, with another row for its look, where the disk has to lead to it: the one
 * that it had is about to go. Where the batch is not committed: fg_vault_doubt(). */
void fg_journeys_put_look(struct fg_journeys *journeys, struct fg_state_batch *batch, uint32_t id);
/* Commits what changed, and how far the log was read. Mutex held, but not while the disk is waited
 * for. */
FG_MUST_CHECK int fg_journeys_commit(struct fg_journeys *journeys);
/* Whether enough have ended to make room by them alone: they don't come back, as a rule. */
bool fg_journeys_have_many_ended(const struct fg_journeys *journeys);
/* Drops some of what is too old from the disk. Mutex not held. */
FG_MUST_CHECK int fg_journeys_sweep(struct fg_journeys *journeys, uint64_t now_ns);
/* Forgets all records, in memory and on disk. Mutex held. */
FG_MUST_CHECK int fg_journeys_clear(struct fg_journeys *journeys);
/* A record that is on disk alone is there no more: it is not counted. Mutex held. */
void fg_journeys_uncount_absent(struct fg_journeys *journeys, const struct fg_record *record);
/* Those that are about to be dropped (dead) stand in no list of the follower's any more. */
void fg_journeys_unlist_dead(struct fg_journeys *journeys);
/* The position in journeys->keys; FG_JOURNEY_KEYS_MAX: not watched. */
uint32_t fg_journeys_key_of(const struct fg_journeys *journeys, uint64_t hash);

/* -- early_keep.c: what came before it was known whose it is, over a restart. Follower's thread. */

/* At the opening of one with a vault; and when its records are read. */
FG_MUST_CHECK int fg_early_open(struct fg_journeys *journeys);
FG_MUST_CHECK int fg_early_load(struct fg_journeys *journeys);
/* What has changed, into a batch; where that is not committed: fg_early_unsettle(). */
void fg_early_put(struct fg_journeys *journeys, struct fg_state_batch *batch);
/* All of it, on disk with the batch; NULL: in memory alone. */
void fg_early_forget(struct fg_journeys *journeys, struct fg_state_batch *batch);

/* -- hearing.c: what deadlines are held against. */

struct fg_heard {
    uint64_t now_ns; /* or while there is something to read the moment up to which was read */
    struct fg_history history;
};

void fg_hearing_init(struct fg_hearing *hearing, struct fg_env *env);
void fg_hearing_free(struct fg_hearing *hearing);
/* Around each read of all that there is. Leader's thread. */
void fg_hearing_begin(struct fg_journeys *leader);
void fg_hearing_end(struct fg_journeys *leader);
/* What a record is held against that is looked at after the call: asked for behind it, it may tell
 * of spans that the record does not know yet. Any thread, without the mutex. */
struct fg_heard fg_hearing_now(struct fg_journeys *journeys);

/* -- fetch.c: records that are on disk alone. Follower's thread; where there is no vault they do
 * nothing. */

/* The record of a value, read back where it is on disk alone; FG_NO_RECORD in *ret_record where
 * there is none. Mutex held. */
FG_MUST_CHECK int fg_journeys_fetch(struct fg_journeys *journeys, uint32_t key,
                                    struct fg_slice value, uint32_t *ret_record);
/* Reads back all of a trace that are on disk alone. Mutex held, but not while spans are read. */
FG_MUST_CHECK int fg_journeys_fetch_trace(struct fg_journeys *journeys, struct fg_trace_ref trace);
/* Reads back those on disk alone that are due, and puts them into doubt. Mutex held. */
FG_MUST_CHECK int fg_journeys_fetch_due(struct fg_journeys *journeys, uint64_t now_ns);
/* Traces that were looked up may have records on disk alone again. */
void fg_fetch_forget(struct fg_fetch *fetch);
void fg_fetch_free(struct fg_fetch *fetch);
/* A record from disk as memory has it: its steps by the flow as it is declared now. FG_ECORRUPT,
 * FG_ENOMEM. */
FG_MUST_CHECK int fg_fetch_fit(struct fg_journeys *journeys, uint32_t key, uint64_t flow_print,
                               struct fg_record *record, bool *ret_is_other_flow);
/* Into memory; the record is taken. FG_ENOMEM, FG_ELIMIT: no room. Mutex held. */
FG_MUST_CHECK int fg_fetch_adopt(struct fg_journeys *journeys, struct fg_record *record,
                                 bool is_other_flow, uint32_t *ret_record);
/* Both, of one that was on disk alone. What does not fit is counted as damaged, and is
 * FG_NO_RECORD: its parts are the caller's still. */
FG_MUST_CHECK int fg_fetch_take_in(struct fg_journeys *journeys, uint32_t key, uint64_t flow_print,
                                   struct fg_record *record, uint32_t *ret_record);

/* erase.c: does what fg_journeys_erased() waits for. Follower's thread, mutex held. */
void fg_journeys_erase(struct fg_journeys *journeys);
/* -- guests.c: tenants beside the leader's. Leader's thread, no mutex held. */

/* Journeys become a guest of options.leader. FG_EINVALID: no such tenant, or it is there already.
 */
FG_MUST_CHECK int fg_guests_enter(struct fg_journeys *guest);
/* A record of the log that is not the leader's own. */
FG_MUST_CHECK int fg_guests_give(struct fg_journeys *leader, const struct fg_consumed *consumed);
/* Records of the log were missed: all is to be made anew. */
void fg_guests_missed(struct fg_journeys *leader);
/* Whether they wait for a commit that is due. */
bool fg_guests_are_due(const struct fg_journeys *leader);
/* Commits what they have; until it has worked for all the leader commits no position. */
FG_MUST_CHECK int fg_guests_commit(struct fg_journeys *leader);
/* A round of each: what is due is judged, erased, read back; and how many of all records each may
 * have in memory. */
void fg_guests_go_round(struct fg_journeys *leader, uint64_t budget_ns);
/* journeys.c: what follows the reading of the log; also of a leader. */
FG_MUST_CHECK int fg_journeys_go_round(struct fg_journeys *journeys, uint64_t timeout_ns,
                                       bool *ret_is_quiet);
/* What a batch of the log tells, as the follower takes it. */
FG_MUST_CHECK int fg_journeys_take_batch(struct fg_journeys *journeys,
                                         const struct fg_batch *batch);

/* recall.c: what monitors found of late, from the stored spans. Follower's thread, mutex not held.
 */
FG_MUST_CHECK int fg_journeys_recall_checks(struct fg_journeys *journeys);

/* judge.c: reads a record's case into the follower's arena. The mutex is held when it is called and
 * when it returns, not meanwhile. */
FG_MUST_CHECK int fg_journeys_read_out(struct fg_journeys *journeys, uint32_t record,
                                       struct fg_case *ret_case);
/* After some of them: what was kept for the next is let go. Mutex not held. */
void fg_journeys_read_out_end(struct fg_journeys *journeys);

/* judge.c: reads and decides what is in doubt, for at most tick_ns of each tick (UINT64_MAX: all).
 * Follower's thread, mutex not held. */
void fg_journeys_judge(struct fg_journeys *journeys, uint64_t tick_ns);

/* -- learn_follow.c: what completed journeys teach. Follower's thread, mutex held. */

/* Plans to learn from a record where nothing else is planned and it may teach something. */
void fg_learn_plan(struct fg_journeys *journeys, uint32_t record);
/* A record's time has come: it is put into doubt, learned from, or both. */
void fg_learn_look(struct fg_journeys *journeys, uint32_t record);
/* A record goes from memory: what it teaches is taken now, or never. */
void fg_learn_leave(struct fg_journeys *journeys, uint32_t record);
/* Deadlines and flows that are in force, where what they come of has changed. FG_ENOMEM. */
FG_MUST_CHECK int fg_learn_apply(struct fg_journeys *journeys);
/* The same of one key at once, whether or not it has changed. */
FG_MUST_CHECK int fg_learn_apply_key(struct fg_journeys *journeys, uint32_t key);

/* flow_since.c: since when each step of the declared flows is what it is; what is new is noted. */
FG_MUST_CHECK int fg_flow_since_open(struct fg_journeys *journeys);

/* -- learn_keep.c */

/* Makes what is learned for each key, and reads it and what was accepted. */
FG_MUST_CHECK int fg_learn_open(struct fg_journeys *journeys);
void fg_learn_close(struct fg_journeys *journeys);
/* Puts what was learned since into a batch. Mutex held. */
void fg_learn_put(struct fg_journeys *journeys, struct fg_state_batch *batch);
/* Puts what is accepted on disk, and in the place of what was; NULL: nothing is any more. It is
 * taken, also on failure. FG_EUNSUPPORTED: there is no state. Mutex held. */
FG_MUST_CHECK int fg_learn_accept_take(struct fg_journeys *journeys, uint32_t key,
                                       struct fg_accepted *accepted);
/* Forgets all that was learned; what was accepted stays. */
void fg_learn_clear(struct fg_journeys *journeys);
