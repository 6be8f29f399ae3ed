/* For tests. `edge-probe manifest` and `edge-probe network` read manifests or flatbuffers from standard input, each after a
   line with the number of its bytes, and answer a line each: "ok", or the code and the sentence of what is wrong.

   Without an argument: the image's way into a network, without the network. Each line asks for one tensor:

       height width grey|rgb channels stretch|crop|pad full|draft int8|float32 scale zero_point mean mean mean std std std
       low high PATH

   with a window of 0 0 where there is none. The answer is "ok WIDTH HEIGHT BYTES", then the tensor's bytes and a line for
   each warning, code and message, and one that is empty; or "no", the code and the sentence.

   With "cores ROOT" it says how many cores this process may use, with "percentile SHARE MS..." that of these times. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "constants.h"
#include "manifest.h"
#include "memory.h"
#include "meter.h"
#include "network.h"
#include "image.h"
#include "plausibility.h"
#include "preprocess.h"

static void answer(const struct preprocessing *how, bool full, bool is_int8, double scale, long long zero_point,
                   const char *path)
{
    struct failure failure = {0};
    struct bytes data = {0};
    struct image image = {0};
    unsigned char *pixels = NULL;
    if (!read_image(path, &data, &failure) ||
        !image_decode(&image, &data, path, how, full, MAX_PIXELS, &failure)) {
        printf("no %s %s\n", failure.code, failure.text);
    } else if ((pixels = preprocess_pixels(&image, how))) {
        float floats[3][256];
        int8_t int8s[3][256];
        size_t bytes = (size_t)(how->height * how->width * how->channels) * (is_int8 ? 1 : 4);
        void *tensor = need(bytes);
        float_table(how, floats);
        int8_table(how, scale, zero_point, int8s);
        look_up(pixels, image.channels, how, is_int8 ? NULL : floats, is_int8 ? int8s : NULL, tensor);
        doubt_uniform(pixels, image.channels, image.width, image.height, how, &image.warnings);
        printf("ok %lld %lld %zu\n", (long long)image.width, (long long)image.height, bytes);
        fwrite(tensor, 1, bytes, stdout);
        for (int index = 0; index < image.warnings.count; index++)
            printf("%s %s\n", image.warnings.at[index].code, image.warnings.at[index].message);
        printf("\n");
        free(tensor);
    }
    fflush(stdout);
    free(pixels);
    free(data.at);
    free(failure.text);
    image_free(&image);
}

/* Check each of the texts on standard input. */
static int check_texts(bool is_manifest)
{
    char line[40];
    while (fgets(line, sizeof line, stdin)) {
        struct failure failure = {0};
        size_t count = strtoull(line, NULL, 10);
        /* Of that size to the byte, so that a sanitizer finds what reads on. */
        unsigned char *text = need(count);
        if (fread(text, 1, count, stdin) != count)
            return 2;
        if (is_manifest) {
            struct manifest manifest;
            manifest_parse(&manifest, (const char *)text, count, "m.tflite", &failure);
            manifest_free(&manifest);
        } else {
            network_check(text, count, "m.tflite", NULL, &failure);
        }
        if (failure.text)
            printf("%s %s\n", failure.code, failure.text);
        else
            puts("ok");
        fflush(stdout);
        free(failure.text);
        free(text);
    }
    return 0;
}

int main(int count, char **words)
{
    if (count > 2 && strcmp(words[1], "cores") == 0)
        return printf("%d\n", usable_cores(words[2])) < 0;
    if (count > 3 && strcmp(words[1], "percentile") == 0) {
        double *values = need((size_t)count * sizeof *values);
        for (int index = 3; index < count; index++)
            values[index - 3] = strtod(words[index], NULL);
        printf("%.17g\n", percentile(values, (size_t)count - 3, strtod(words[2], NULL)));
        free(values);
        return 0;
    }
    if (count == 2)
        return check_texts(strcmp(words[1], "manifest") == 0);
    char line[8192];
    while (fgets(line, sizeof line, stdin)) {
        struct preprocessing how = {0};
        char colour[8], fit[8], size[8], type[8];
        double scale;
        long long height, width, zero_point;
        int path = 0;
        line[strcspn(line, "\n")] = 0;
        int read = sscanf(line, "%lld %lld %7s %d %7s %7s %7s %lf %lld %lf %lf %lf %lf %lf %lf %d %d %n", &height, &width, colour,
                          &how.channels, fit, size, type, &scale, &zero_point, &how.mean[0], &how.mean[1], &how.mean[2],
                          &how.std[0], &how.std[1], &how.std[2], &how.window.low,
                          &how.window.high, &path);
        if (read != 17)
            return 2;
        how.height = height;
        how.width = width;
        how.is_grey = strcmp(colour, "grey") == 0;
        how.fit = strcmp(fit, "crop") == 0 ? CROP : strcmp(fit, "pad") == 0 ? PAD : STRETCH;
        answer(&how, strcmp(size, "full") == 0, strcmp(type, "int8") == 0, scale, zero_point, line + path);
    }
    return 0;
}
