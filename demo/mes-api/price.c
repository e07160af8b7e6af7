#include "price.h"
#include "service.h"

#include <filigree.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Silver, cast over a printed wax: cents. */
#define CENTS_BASE        2500.0
#define CENTS_PER_MM3     1.3
#define CENTS_PER_MM2     0.4 /* polishing */
#define CENTS_SUPPORT_MM3 0.2 /* wax that is lost */
#define CENTS_PER_METRE   12.0
#define VOLUME_MM3_MIN    0.1
#define PARTS             16u

/* The two ways in which the computation goes wrong: the machine runs out of memory and its kernel
 * kills the process; or a loop over the mesh's edges never meets its end. */
static void go_wrong(void)
{
    if (service_fault("mes-api", "die_in_price"))
        kill(getpid(), SIGKILL);
    while (service_fault("mes-api", "hang_in_price"))
        usleep(20000);
}

static void describe(fg_span span, const struct mesh *mesh, const struct price *price)
{
    fg_span_set_int(span, "model.triangles", (int64_t)mesh->triangle_count);
    fg_span_set_int(span, "model.layers", price->measures.layer_count);
    fg_span_set_double(span, "model.volume_mm3", price->measures.volume_mm3);
    fg_span_set_double(span, "model.surface_mm2", price->measures.surface_mm2);
    fg_span_set_double(span, "model.support_mm3", price->measures.support_mm3);
    fg_span_set_int(span, "price.cents", price->cents);
}

static int measure(const struct mesh *mesh, struct price *price, char text[MESH_TEXT_SIZE])
{
    struct mesh_measures *measures = &price->measures;
    for (size_t part = 0; part < PARTS; part++) {
        mesh_measure(mesh, mesh->triangle_count * part / PARTS,
                     mesh->triangle_count * (part + 1) / PARTS, measures);
        if (part == PARTS / 2)
            go_wrong();
    }
    measures->volume_mm3 = fabs(measures->volume_mm3); /* corners may go round the other way */
    if (measures->volume_mm3 < VOLUME_MM3_MIN) {
        snprintf(text, MESH_TEXT_SIZE, "the model encloses no volume");
        return -1;
    }
    price->cents = lround(
        CENTS_BASE + CENTS_PER_MM3 * measures->volume_mm3 + CENTS_PER_MM2 * measures->surface_mm2 +
        CENTS_SUPPORT_MM3 * measures->support_mm3 + CENTS_PER_METRE * measures->path_mm / 1000);
    return 0;
}

int price_calculate(const char *model, size_t size, struct price *ret_price,
                    char ret_text[MESH_TEXT_SIZE])
{
    fg_span span = fg_span_start("price.calculate", NULL);
    fg_scope scope = fg_span_enter(span);
    struct price price = {0};
    struct mesh mesh = {0};
    fg_span_set_int(span, "model.size", (int64_t)size);
    int r = mesh_read(model, size, &mesh, ret_text);
    if (r == 0)
        r = measure(&mesh, &price, ret_text);
    if (r == 0) {
        describe(span, &mesh, &price);
        *ret_price = price;
    } else {
        fg_span_set_string(span, "error.type", "invalid_model");
        fg_span_set_status(span, FG_STATUS_IS_ERROR, ret_text);
    }
    mesh_free(&mesh);
    fg_scope_leave(&scope);
    fg_span_end(span);
    return r;
}
