/* Error codes. A function that can fail returns 0 or one of these; they stay distinct up to the
 * client. */
#pragma once

enum fg_error {
    FG_OK = 0,
    FG_EINVALID = -1,  /* the caller's input is wrong: malformed bytes, a bad argument */
    FG_ENOMEM = -2,    /* an allocation failed */
    FG_ELIMIT = -3,    /* a limit of limits.h or of the configuration was reached */
    FG_EAGAIN = -4,    /* not now: overloaded or still starting; try again later */
    FG_ENOTFOUND = -5, /* no such thing */
    FG_EDENIED = -6,   /* not permitted */
    FG_EIO = -7,       /* the disk or the network failed; see errno-like detail in the log */
    FG_ECORRUPT = -8,  /* stored bytes do not carry what they should */
    FG_ENOSPACE = -9,  /* the disk or a quota is full; retryable */
    FG_EUNSUPPORTED =
        -10,             /* valid, but not for this version: a newer format, an unknown encoding */
    FG_EEXIST = -11,     /* it is there already */
    FG_EBUSY = -12,      /* held by another: a lock file, a second server */
    FG_ECANCELLED = -13, /* given up: the client went, the server stops */
    FG_ETIMEOUT = -14,   /* a time limit was reached */
};

#define FG_MUST_CHECK __attribute__((warn_unused_result))

/* A short lower-case name ("corrupt", "no space"); "unknown error" for others. Static storage. */
const char *fg_error_name(int error);

/* The fg_error that stands for an errno value: ENOSPC, EDQUOT → FG_ENOSPACE, ENOENT → FG_ENOTFOUND,
 * … others FG_EIO. */
int fg_error_from_errno(int errno_value);
