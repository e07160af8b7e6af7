#include "fake_net.h"

void fake_begin(struct fake_request *fake, struct fg_api *api)
{
    fg_api_on_headers(api, &fake->request);
    if (!fake->answered)
        fg_api_on_request(api, &fake->request);
    while (!fake->answered)
        fake_wait(fake);
}

void fake_run(struct fake_request *fake, struct fg_api *api)
{
    fake_begin(fake, api);
    while (fake_pull(fake))
        ;
    fake_wait_refs(fake);
}
