/* For libFuzzer: the bytes of a model file, up to where LiteRT would get them, and of a flatbuffer alone. The digest at an
   input's end is made right first: nothing that is found at random has a right one, and no more than the digest would be
   tried. */
#include <stdlib.h>
#include <string.h>

#include "constants.h"
#include "memory.h"
#include "model.h"
#include "network.h"
#include "record.h"
#include "report.h"
#include "sha256.h"

enum { TRAILER = 71, HEX = 64, PIXELS = 1 << 16 };

static void seal(struct bytes *data)
{
    struct sha256 digest;
    char hex[HEX + 1];
    if (data->count < TRAILER)
        return;
    memcpy(data->at + data->count - TRAILER, "sha256:", TRAILER - HEX);
    sha256_begin(&digest);
    sha256_add(&digest, data->at, data->count - TRAILER);
    sha256_hex(&digest, hex);
    memcpy(data->at + data->count - HEX, hex, HEX);
}

/* What `--check` reads of it before the network is asked. */
static void decode_golden(const struct model *model)
{
    for (size_t index = 0; index < model->manifest.golden_count; index++) {
        struct bytes file;
        struct image image;
        struct failure failure = {0};
        if (model_member(model, model->manifest.golden[index].inputs[0].image, &file, &failure)) {
            if (image_decode(&image, &file, "golden", &model->manifest.inputs[0], true, PIXELS, &failure))
                image_free(&image);
            free(file.at);
        }
        free(failure.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    struct bytes data = {malloc(count ? count : 1), count}; /* of this size to the byte, so that what reads on is found */
    if (!data.at)
        return 0;
    if (count)
        memcpy(data.at, input, count);
    struct failure fault = {0};
    network_check(data.at, data.count, "model.tflite", NULL, &fault);
    free(fault.text);
    seal(&data);
    struct model model = {.path = need_copy("model.tflite"), .data = data};
    struct failure failure = {0};
    struct text text = {0};
    struct network network;
    if (model_check(&model, &failure) && model_network(&model, &network, &failure)) {
        record_model(&model, &text);
        report_models(&model, 1, &text);
        decode_golden(&model);
    }
    text_free(&text);
    free(failure.text);
    model.data = (struct bytes){0}; /* it is no mapped file, which is what model_close gives back */
    model_close(&model);
    free(data.at);
    return 0;
}
