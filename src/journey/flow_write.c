#include "flow_write.h"

#include "learn.h"

void fg_flow_quote(struct fg_buffer *out, struct fg_slice text)
{
    fg_buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '"' || byte == '\\')
            fg_buffer_append_byte(out, '\\');
        if (byte == '\n' || byte == '\t')
            fg_buffer_append_string(out, byte == '\n' ? "\\n" : "\\t");
        else if (byte >= ' ' && byte != 0x7f)
            fg_buffer_append_byte(out, byte);
    }
    fg_buffer_append_byte(out, '"');
}

static void put(struct fg_buffer *out, const char *indent, const char *key, struct fg_slice text)
{
    if (text.size == 0)
        return;
    fg_buffer_append_format(out, "%s%s: ", indent, key);
    fg_flow_quote(out, text);
    fg_buffer_append_byte(out, '\n');
}

/* A text, or one for each language. */
static void put_labels(struct fg_buffer *out, const char *key, struct fg_slice text,
                       const struct fg_flow_labels *labels)
{
    if (!labels) {
        put(out, "        ", key, text);
        return;
    }
    fg_buffer_append_format(out, "        %s:\n", key);
    for (uint32_t i = 0; i < labels->count; i++) {
        fg_buffer_append_string(out, "          ");
        fg_flow_quote(out, labels->of[i].language);
        fg_buffer_append_string(out, ": ");
        fg_flow_quote(out, labels->of[i].text);
        fg_buffer_append_byte(out, '\n');
    }
}

static void put_after(const struct fg_flow *flow, uint32_t step, struct fg_buffer *out)
{
    bool is_first = true;
    fg_buffer_append_string(out, "        after: [");
    for (uint32_t i = 0; i < flow->step_count; i++) {
        if ((flow->steps[step].after >> i & 1) == 0)
            continue;
        if (!is_first)
            fg_buffer_append_string(out, ", ");
        fg_flow_quote(out, flow->steps[i].name);
        is_first = false;
    }
    fg_buffer_append_string(out, "]\n");
}

static void put_step(const struct fg_flow *flow, uint32_t index, uint64_t within_ns,
                     struct fg_buffer *out)
{
    const struct fg_flow_step *step = &flow->steps[index];
    char within[FG_WITHIN_TEXT_SIZE];
    fg_buffer_append_string(out, "      - name: ");
    fg_flow_quote(out, step->name);
    fg_buffer_append_byte(out, '\n');
    if (step->labels || !fg_slice_equal(step->label, step->name))
        put_labels(out, "label", step->label, step->labels);
    put(out, "        ", "when", step->condition);
    put(out, "        ", "by", step->service);
    put_labels(out, "human", step->human, step->humans);
    put_after(flow, index, out);
    if (within_ns > 0)
        fg_buffer_append_format(out, "        within: %s\n", fg_within_format(within_ns, within));
    if (step->optional)
        fg_buffer_append_string(out, "        optional: true\n");
    if (step->ends != FG_FLOW_GOES_ON)
        fg_buffer_append_format(out, "        ends: %s\n",
                                step->ends == FG_FLOW_ENDS_DONE ? "done" : "cancelled");
}

void fg_flow_write(const struct fg_flow *flow, const struct fg_hop_deadline *deadlines,
                   struct fg_buffer *out)
{
    char within[FG_WITHIN_TEXT_SIZE];
    fg_buffer_append_string(out, "flows:\n  - name: ");
    fg_flow_quote(out, flow->name);
    fg_buffer_append_byte(out, '\n');
    put(out, "    ", "key", flow->key);
    if (flow->within_ns > 0)
        fg_buffer_append_format(out, "    within: %s\n", fg_within_format(flow->within_ns, within));
    put(out, "    ", "message-schema", flow->schema_file);
    put(out, "    ", "shown-key", flow->shown_key);
    put(out, "    ", "status-key", flow->status_key);
    for (uint32_t i = 0; i < flow->format_error_count; i++) {
        fg_buffer_append_string(out, i == 0 ? "    format-errors:\n      - " : "      - ");
        fg_flow_quote(out, flow->format_errors[i]);
        fg_buffer_append_byte(out, '\n');
    }
    fg_buffer_append_string(out, "    steps:\n");
    for (uint32_t i = 0; i < flow->step_count; i++)
        put_step(flow, i, deadlines ? deadlines[i].ns : flow->steps[i].within_ns, out);
}
