/* What both programs hold to. Made by tools/make_constants.py from edge's modules. */
#ifndef EDGE_CONSTANTS_H
#define EDGE_CONSTANTS_H

#define PROGRAM_VERSION "0.1.0"
#define NOTICE "Software for engineers, not a medical device: no diagnosis may rest on it."
#define MANIFEST_FORMAT "edge-infer"
enum { MANIFEST_VERSION = 1 };
enum { MAX_ENTRIES = 16 };
enum { MAX_LETTERS = 200 };
enum { MAX_LABELS = 32768 };
enum { MAX_ITEMS = 256 };
enum { MAX_DEPTH = 32 };
#define USUAL_MODEL "pneumonia"
enum { MAX_MEMBERS = 64 };
enum { MAX_GOLDEN_BYTES = 8388608 };
enum { MAX_RATIO = 100 };
enum { MAX_FILE_BYTES = 1073741824 };
enum { SCHEMA_VERSION = 3 };
enum { MAX_TABLES = 100000 };
enum { MAX_WORK = 4194304 };
enum { MAX_GRAPHS = 256 };
enum { MAX_ENDS = 1024 };
enum { MAX_TENSOR_RANK = 8 };
enum { MAX_TENSOR_BYTES = 1073741824 };
enum { MAX_WINDOW = 4096 };
#define MAX_MULTIPLIER 256.0
#define LEAST_STEP 8.673617379884035e-19
#define MOST_STEP 1073741824.0
enum { MAX_THREADS = 64 };
enum { USUAL_THREADS = 4 };
enum { MOST_INVOKES = 1000000 };
enum { MAX_IMAGE_BYTES = 1073741824 };
enum { MAX_PIXELS = 64000000 };
enum { LONGEST_METADATA = 1048576 };
enum { MOST_BITS = 16 };
enum { MOST = 65535 };
enum { SAMPLED = 128 };
enum { NEAR = 16 };
enum { STRAY = 1000 };
enum { COLOURED = 16 };
enum { FEW = 500 };
enum { DEPTH = 4095 };
enum { DARK = 16 };
#define SLACK 0.01
#define MAX_FLIPPED 0.01
enum { LABELLED = 10 };
enum { LARGEST = 2048 };
enum { MAX_TEXT_BYTES = 1048576 };
enum { MAX_COMPILED_BYTES = 67108864 };

#endif
