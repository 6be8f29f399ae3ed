/* TFLite's schema. Made by make_schema.py from edge/tflite_schema.py. */
static const char *const TENSOR_TYPES[] = {
    "FLOAT32", "FLOAT16", "INT32", "UINT8", "INT64", "STRING", "BOOL", "INT16", "COMPLEX64", "INT8", "FLOAT64",
    "COMPLEX128", "UINT64", "RESOURCE", "VARIANT", "UINT32", "UINT16", "INT4", "BFLOAT16", "INT2",
};
static const char *const OPERATORS[] = {
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE",
    "EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED", "HASHTABLE_LOOKUP", "L2_NORMALIZATION", "L2_POOL_2D",
    "LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "LSH_PROJECTION", "LSTM", "MAX_POOL_2D", "MUL", "RELU",
    "RELU_N1_TO_1", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH",
    "CONCAT_EMBEDDINGS", "SKIP_GRAM", "CALL", "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD",
    "UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE", "MEAN", "SUB",
    "DIV", "SQUEEZE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN", "EXP", "TOPK_V2",
    "SPLIT", "LOG_SOFTMAX", "DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU", "MAXIMUM", "ARG_MAX",
    "MINIMUM", "LESS", "NEG", "PADV2", "GREATER", "GREATER_EQUAL", "LESS_EQUAL", "SELECT", "SLICE", "SIN",
    "TRANSPOSE_CONV", "SPARSE_TO_DENSE", "TILE", "EXPAND_DIMS", "EQUAL", "NOT_EQUAL", "LOG", "SUM", "SQRT", "RSQRT",
    "SHAPE", "POW", "ARG_MIN", "FAKE_QUANT", "REDUCE_PROD", "REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT",
    "LOGICAL_AND", "LOGICAL_NOT", "UNPACK", "REDUCE_MIN", "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE", "FILL",
    "FLOOR_MOD", "RANGE", "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE", "MIRROR_PAD", "ABS",
    "SPLIT_V", "UNIQUE", "CEIL", "REVERSE_V2", "ADD_N", "GATHER_ND", "COS", "WHERE", "RANK", "ELU",
    "REVERSE_SEQUENCE", "MATRIX_DIAG", "QUANTIZE", "MATRIX_SET_DIAG", "ROUND", "HARD_SWISH", "IF", "WHILE",
    "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "SCATTER_ND", "SELECT_V2", "DENSIFY", "SEGMENT_SUM",
    "BATCH_MATMUL", "PLACEHOLDER_FOR_GREATER_OP_CODES", "CUMSUM", "CALL_ONCE", "BROADCAST_TO", "RFFT2D", "CONV_3D",
    "IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE", "REDUCE_ALL",
    "CONV_3D_TRANSPOSE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "BROADCAST_ARGS", "RANDOM_STANDARD_NORMAL",
    "BUCKETIZE", "RANDOM_UNIFORM", "MULTINOMIAL", "GELU", "DYNAMIC_UPDATE_SLICE", "RELU_0_TO_1",
    "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_SUM", "ATAN2", "UNSORTED_SEGMENT_MIN", "SIGN",
    "BITCAST", "BITWISE_XOR", "RIGHT_SHIFT", "STABLEHLO_LOGISTIC", "STABLEHLO_ADD", "STABLEHLO_DIVIDE",
    "STABLEHLO_MULTIPLY", "STABLEHLO_MAXIMUM", "STABLEHLO_RESHAPE", "STABLEHLO_CLAMP", "STABLEHLO_CONCATENATE",
    "STABLEHLO_BROADCAST_IN_DIM", "STABLEHLO_CONVOLUTION", "STABLEHLO_SLICE", "STABLEHLO_CUSTOM_CALL",
    "STABLEHLO_REDUCE", "STABLEHLO_ABS", "STABLEHLO_AND", "STABLEHLO_COSINE", "STABLEHLO_EXPONENTIAL",
    "STABLEHLO_FLOOR", "STABLEHLO_LOG", "STABLEHLO_MINIMUM", "STABLEHLO_NEGATE", "STABLEHLO_OR", "STABLEHLO_POWER",
    "STABLEHLO_REMAINDER", "STABLEHLO_RSQRT", "STABLEHLO_SELECT", "STABLEHLO_SUBTRACT", "STABLEHLO_TANH",
    "STABLEHLO_SCATTER", "STABLEHLO_COMPARE", "STABLEHLO_CONVERT", "STABLEHLO_DYNAMIC_SLICE",
    "STABLEHLO_DYNAMIC_UPDATE_SLICE", "STABLEHLO_PAD", "STABLEHLO_IOTA", "STABLEHLO_DOT_GENERAL",
    "STABLEHLO_REDUCE_WINDOW", "STABLEHLO_SORT", "STABLEHLO_WHILE", "STABLEHLO_GATHER", "STABLEHLO_TRANSPOSE",
    "DILATE", "STABLEHLO_RNG_BIT_GENERATOR", "REDUCE_WINDOW", "STABLEHLO_COMPOSITE", "STABLEHLO_SHIFT_LEFT",
    "STABLEHLO_CBRT", "STABLEHLO_CASE",
};
static const struct field Model_FIELDS[] = {
    {"version", 'I', 0, 0, 0}, {"operator_codes", '[', 'T', 0, 0}, {"subgraphs", '[', 'T', 0, 0},
    {"description", 's', 0, 0, 0}, {"buffers", '[', 'T', 0, 0}, {"metadata_buffer", '[', 'i', 0, 0},
    {"metadata", '[', 'T', 0, 0}, {"signature_defs", '[', 'T', 0, 0}, {"external_buffer_groups", '[', 'T', 0, 0},
    {"external_buffers", '[', 'T', 0, 0},
};
static const struct field OperatorCode_FIELDS[] = {
    {"deprecated_builtin_code", 'b', 0, 0, 0}, {"custom_code", 's', 0, 0, 0}, {"version", 'i', 0, 0, 1},
    {"builtin_code", 'i', 0, 0, 0},
};
static const struct field SubGraph_FIELDS[] = {
    {"tensors", '[', 'T', 0, 0}, {"inputs", '[', 'i', 0, 0}, {"outputs", '[', 'i', 0, 0},
    {"operators", '[', 'T', 0, 0}, {"name", 's', 0, 0, 0}, {"debug_metadata_index", 'i', 0, 0, -1},
};
static const struct field Tensor_FIELDS[] = {
    {"shape", '[', 'i', 0, 0}, {"type", 'b', 0, 20, 0}, {"buffer", 'I', 0, 0, 0}, {"name", 's', 0, 0, 0},
    {"quantization", 'T', 0, 0, 0}, {"is_variable", '?', 0, 0, 0}, {"sparsity", 'T', 0, 0, 0},
    {"shape_signature", '[', 'i', 0, 0}, {"has_rank", '?', 0, 0, 0}, {"variant_tensors", '[', 'T', 0, 0},
    {"external_buffer", 'I', 0, 0, 0},
};
static const struct field QuantizationParameters_FIELDS[] = {
    {"min", '[', 'f', 0, 0}, {"max", '[', 'f', 0, 0}, {"scale", '[', 'f', 0, 0}, {"zero_point", '[', 'q', 0, 0},
    {"details_type", 'B', 0, 0, 0}, {"details", 'U', 0, 0, 0}, {"quantized_dimension", 'i', 0, 0, 0},
};
static const struct field Buffer_FIELDS[] = {
    {"data", '[', 'B', 0, 0}, {"offset", 'Q', 0, 0, 0}, {"size", 'Q', 0, 0, 0},
};
static const struct field Operator_FIELDS[] = {
    {"opcode_index", 'I', 0, 0, 0}, {"inputs", '[', 'i', 0, 0}, {"outputs", '[', 'i', 0, 0},
    {"builtin_options_type", 'B', 0, 0, 0}, {"builtin_options", 'U', 0, 0, 0}, {"custom_options", '[', 'B', 0, 0},
    {"custom_options_format", 'b', 0, 1, 0}, {"mutating_variable_inputs", '[', '?', 0, 0},
    {"intermediates", '[', 'i', 0, 0}, {"large_custom_options_offset", 'Q', 0, 0, 0},
    {"large_custom_options_size", 'Q', 0, 0, 0}, {"builtin_options2_type", 'B', 0, 0, 0},
    {"builtin_options2", 'U', 0, 0, 0}, {"debug_metadata_index", 'i', 0, 0, -1},
};
static const struct field Metadata_FIELDS[] = {
    {"name", 's', 0, 0, 0}, {"buffer", 'I', 0, 0, 0},
};
static const struct field SignatureDef_FIELDS[] = {
    {"inputs", '[', 'T', 0, 0}, {"outputs", '[', 'T', 0, 0}, {"signature_key", 's', 0, 0, 0}, {NULL, 0, 0, 0, 0},
    {"subgraph_index", 'I', 0, 0, 0},
};
static const struct field TensorMap_FIELDS[] = {
    {"name", 's', 0, 0, 0}, {"tensor_index", 'I', 0, 0, 0},
};
static const struct field Conv2DOptions_FIELDS[] = {
    {"padding", 'b', 0, 2, 0}, {"stride_w", 'i', 0, 0, 0}, {"stride_h", 'i', 0, 0, 0},
    {"fused_activation_function", 'b', 0, 6, 0}, {"dilation_w_factor", 'i', 0, 0, 1},
    {"dilation_h_factor", 'i', 0, 0, 1}, {"quantized_bias_type", 'b', 0, 20, 0},
};
static const struct field DepthwiseConv2DOptions_FIELDS[] = {
    {"padding", 'b', 0, 2, 0}, {"stride_w", 'i', 0, 0, 0}, {"stride_h", 'i', 0, 0, 0},
    {"depth_multiplier", 'i', 0, 0, 0}, {"fused_activation_function", 'b', 0, 6, 0},
    {"dilation_w_factor", 'i', 0, 0, 1}, {"dilation_h_factor", 'i', 0, 0, 1},
};
static const struct field ConcatEmbeddingsOptions_FIELDS[] = {
    {"num_channels", 'i', 0, 0, 0}, {"num_columns_per_channel", '[', 'i', 0, 0},
    {"embedding_dim_per_channel", '[', 'i', 0, 0},
};
static const struct field LSHProjectionOptions_FIELDS[] = {
    {"type", 'b', 0, 3, 0},
};
static const struct field Pool2DOptions_FIELDS[] = {
    {"padding", 'b', 0, 2, 0}, {"stride_w", 'i', 0, 0, 0}, {"stride_h", 'i', 0, 0, 0}, {"filter_width", 'i', 0, 0, 0},
    {"filter_height", 'i', 0, 0, 0}, {"fused_activation_function", 'b', 0, 6, 0},
};
static const struct field SVDFOptions_FIELDS[] = {
    {"rank", 'i', 0, 0, 0}, {"fused_activation_function", 'b', 0, 6, 0}, {"asymmetric_quantize_inputs", '?', 0, 0, 0},
};
static const struct field RNNOptions_FIELDS[] = {
    {"fused_activation_function", 'b', 0, 6, 0}, {"asymmetric_quantize_inputs", '?', 0, 0, 0},
};
static const struct field FullyConnectedOptions_FIELDS[] = {
    {"fused_activation_function", 'b', 0, 6, 0}, {"weights_format", 'b', 0, 2, 0}, {"keep_num_dims", '?', 0, 0, 0},
    {"asymmetric_quantize_inputs", '?', 0, 0, 0}, {"quantized_bias_type", 'b', 0, 20, 0},
};
static const struct field SoftmaxOptions_FIELDS[] = {
    {"beta", 'f', 0, 0, 0},
};
static const struct field ConcatenationOptions_FIELDS[] = {
    {"axis", 'i', 0, 0, 0}, {"fused_activation_function", 'b', 0, 6, 0},
};
static const struct field AddOptions_FIELDS[] = {
    {"fused_activation_function", 'b', 0, 6, 0}, {"pot_scale_int16", '?', 0, 0, 1},
};
static const struct field L2NormOptions_FIELDS[] = {
    {"fused_activation_function", 'b', 0, 6, 0},
};
static const struct field LocalResponseNormalizationOptions_FIELDS[] = {
    {"radius", 'i', 0, 0, 0}, {"bias", 'f', 0, 0, 0}, {"alpha", 'f', 0, 0, 0}, {"beta", 'f', 0, 0, 0},
};
static const struct field LSTMOptions_FIELDS[] = {
    {"fused_activation_function", 'b', 0, 6, 0}, {"cell_clip", 'f', 0, 0, 0}, {"proj_clip", 'f', 0, 0, 0},
    {"kernel_type", 'b', 0, 2, 0}, {"asymmetric_quantize_inputs", '?', 0, 0, 0},
};
static const struct field ResizeBilinearOptions_FIELDS[] = {
    {NULL, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0}, {"align_corners", '?', 0, 0, 0}, {"half_pixel_centers", '?', 0, 0, 0},
};
static const struct field CallOptions_FIELDS[] = {
    {"subgraph", 'I', 0, 0, 0},
};
static const struct field ReshapeOptions_FIELDS[] = {
    {"new_shape", '[', 'i', 0, 0},
};
static const struct field SkipGramOptions_FIELDS[] = {
    {"ngram_size", 'i', 0, 0, 0}, {"max_skip_size", 'i', 0, 0, 0}, {"include_all_ngrams", '?', 0, 0, 0},
};
static const struct field SpaceToDepthOptions_FIELDS[] = {
    {"block_size", 'i', 0, 0, 0},
};
static const struct field EmbeddingLookupSparseOptions_FIELDS[] = {
    {"combiner", 'b', 0, 3, 0},
};
static const struct field MulOptions_FIELDS[] = {
    {"fused_activation_function", 'b', 0, 6, 0},
};
static const struct field GatherOptions_FIELDS[] = {
    {"axis", 'i', 0, 0, 0}, {"batch_dims", 'i', 0, 0, 0},
};
static const struct field ReducerOptions_FIELDS[] = {
    {"keep_dims", '?', 0, 0, 0},
};
static const struct field SubOptions_FIELDS[] = {
    {"fused_activation_function", 'b', 0, 6, 0}, {"pot_scale_int16", '?', 0, 0, 1},
};
static const struct field DivOptions_FIELDS[] = {
    {"fused_activation_function", 'b', 0, 6, 0},
};
static const struct field SqueezeOptions_FIELDS[] = {
    {"squeeze_dims", '[', 'i', 0, 0},
};
static const struct field SequenceRNNOptions_FIELDS[] = {
    {"time_major", '?', 0, 0, 0}, {"fused_activation_function", 'b', 0, 6, 0},
    {"asymmetric_quantize_inputs", '?', 0, 0, 0},
};
static const struct field StridedSliceOptions_FIELDS[] = {
    {"begin_mask", 'i', 0, 0, 0}, {"end_mask", 'i', 0, 0, 0}, {"ellipsis_mask", 'i', 0, 0, 0},
    {"new_axis_mask", 'i', 0, 0, 0}, {"shrink_axis_mask", 'i', 0, 0, 0}, {"offset", '?', 0, 0, 0},
};
static const struct field SplitOptions_FIELDS[] = {
    {"num_splits", 'i', 0, 0, 0},
};
static const struct field CastOptions_FIELDS[] = {
    {"in_data_type", 'b', 0, 20, 0}, {"out_data_type", 'b', 0, 20, 0},
};
static const struct field ArgMaxOptions_FIELDS[] = {
    {"output_type", 'b', 0, 20, 0},
};
static const struct field TransposeConvOptions_FIELDS[] = {
    {"padding", 'b', 0, 2, 0}, {"stride_w", 'i', 0, 0, 0}, {"stride_h", 'i', 0, 0, 0},
    {"fused_activation_function", 'b', 0, 6, 0}, {"quantized_bias_type", 'b', 0, 20, 0},
};
static const struct field SparseToDenseOptions_FIELDS[] = {
    {"validate_indices", '?', 0, 0, 0},
};
static const struct field ShapeOptions_FIELDS[] = {
    {"out_type", 'b', 0, 20, 0},
};
static const struct field ArgMinOptions_FIELDS[] = {
    {"output_type", 'b', 0, 20, 0},
};
static const struct field FakeQuantOptions_FIELDS[] = {
    {"min", 'f', 0, 0, 0}, {"max", 'f', 0, 0, 0}, {"num_bits", 'i', 0, 0, 0}, {"narrow_range", '?', 0, 0, 0},
};
static const struct field PackOptions_FIELDS[] = {
    {"values_count", 'i', 0, 0, 0}, {"axis", 'i', 0, 0, 0},
};
static const struct field OneHotOptions_FIELDS[] = {
    {"axis", 'i', 0, 0, 0},
};
static const struct field UnpackOptions_FIELDS[] = {
    {"num", 'i', 0, 0, 0}, {"axis", 'i', 0, 0, 0},
};
static const struct field BidirectionalSequenceLSTMOptions_FIELDS[] = {
    {"fused_activation_function", 'b', 0, 6, 0}, {"cell_clip", 'f', 0, 0, 0}, {"proj_clip", 'f', 0, 0, 0},
    {"merge_outputs", '?', 0, 0, 0}, {"time_major", '?', 0, 0, 1}, {"asymmetric_quantize_inputs", '?', 0, 0, 0},
};
static const struct field BidirectionalSequenceRNNOptions_FIELDS[] = {
    {"time_major", '?', 0, 0, 0}, {"fused_activation_function", 'b', 0, 6, 0}, {"merge_outputs", '?', 0, 0, 0},
    {"asymmetric_quantize_inputs", '?', 0, 0, 0},
};
static const struct field UnidirectionalSequenceLSTMOptions_FIELDS[] = {
    {"fused_activation_function", 'b', 0, 6, 0}, {"cell_clip", 'f', 0, 0, 0}, {"proj_clip", 'f', 0, 0, 0},
    {"time_major", '?', 0, 0, 0}, {"asymmetric_quantize_inputs", '?', 0, 0, 0},
    {"diagonal_recurrent_tensors", '?', 0, 0, 0},
};
static const struct field ResizeNearestNeighborOptions_FIELDS[] = {
    {"align_corners", '?', 0, 0, 0}, {"half_pixel_centers", '?', 0, 0, 0},
};
static const struct field LeakyReluOptions_FIELDS[] = {
    {"alpha", 'f', 0, 0, 0},
};
static const struct field MirrorPadOptions_FIELDS[] = {
    {"mode", 'b', 0, 2, 0},
};
static const struct field SplitVOptions_FIELDS[] = {
    {"num_splits", 'i', 0, 0, 0},
};
static const struct field UniqueOptions_FIELDS[] = {
    {"idx_out_type", 'b', 0, 20, 2},
};
static const struct field ReverseSequenceOptions_FIELDS[] = {
    {"seq_dim", 'i', 0, 0, 0}, {"batch_dim", 'i', 0, 0, 0},
};
static const struct field IfOptions_FIELDS[] = {
    {"then_subgraph_index", 'i', 0, 0, 0}, {"else_subgraph_index", 'i', 0, 0, 0},
};
static const struct field WhileOptions_FIELDS[] = {
    {"cond_subgraph_index", 'i', 0, 0, 0}, {"body_subgraph_index", 'i', 0, 0, 0},
};
static const struct field DepthToSpaceOptions_FIELDS[] = {
    {"block_size", 'i', 0, 0, 0},
};
static const struct field BatchMatMulOptions_FIELDS[] = {
    {"adj_x", '?', 0, 0, 0}, {"adj_y", '?', 0, 0, 0}, {"asymmetric_quantize_inputs", '?', 0, 0, 0},
};
static const struct field CumsumOptions_FIELDS[] = {
    {"exclusive", '?', 0, 0, 0}, {"reverse", '?', 0, 0, 0},
};
static const struct field CallOnceOptions_FIELDS[] = {
    {"init_subgraph_index", 'i', 0, 0, 0},
};
static const struct field Conv3DOptions_FIELDS[] = {
    {"padding", 'b', 0, 2, 0}, {"stride_d", 'i', 0, 0, 0}, {"stride_w", 'i', 0, 0, 0}, {"stride_h", 'i', 0, 0, 0},
    {"fused_activation_function", 'b', 0, 6, 0}, {"dilation_d_factor", 'i', 0, 0, 1},
    {"dilation_w_factor", 'i', 0, 0, 1}, {"dilation_h_factor", 'i', 0, 0, 1},
};
static const struct field HashtableOptions_FIELDS[] = {
    {"table_id", 'i', 0, 0, 0}, {"key_dtype", 'b', 0, 20, 0}, {"value_dtype", 'b', 0, 20, 0},
};
static const struct field VarHandleOptions_FIELDS[] = {
    {"container", 's', 0, 0, 0}, {"shared_name", 's', 0, 0, 0},
};
static const struct field RandomOptions_FIELDS[] = {
    {"seed", 'q', 0, 0, 0}, {"seed2", 'q', 0, 0, 0},
};
static const struct field BucketizeOptions_FIELDS[] = {
    {"boundaries", '[', 'f', 0, 0},
};
static const struct field GeluOptions_FIELDS[] = {
    {"approximate", '?', 0, 0, 0},
};
static const struct field StablehloConcatenateOptions_FIELDS[] = {
    {"dimension", 'q', 0, 0, 0},
};
static const struct field StablehloBroadcastInDimOptions_FIELDS[] = {
    {"broadcast_dimensions", '[', 'q', 0, 0},
};
static const struct field StablehloSliceOptions_FIELDS[] = {
    {"start_indices", '[', 'q', 0, 0}, {"limit_indices", '[', 'q', 0, 0}, {"strides", '[', 'q', 0, 0},
};
static const struct field StablehloConvolutionOptions_FIELDS[] = {
    {"window_strides", '[', 'q', 0, 0}, {"padding", '[', 'q', 0, 0}, {"lhs_dilation", '[', 'q', 0, 0},
    {"rhs_dilation", '[', 'q', 0, 0}, {"window_reversal", '[', '?', 0, 0}, {"input_batch_dimension", 'q', 0, 0, 0},
    {"input_feature_dimension", 'q', 0, 0, 0}, {"input_spatial_dimensions", '[', 'q', 0, 0},
    {"kernel_input_feature_dimension", 'q', 0, 0, 0}, {"kernel_output_feature_dimension", 'q', 0, 0, 0},
    {"kernel_spatial_dimensions", '[', 'q', 0, 0}, {"output_batch_dimension", 'q', 0, 0, 0},
    {"output_feature_dimension", 'q', 0, 0, 0}, {"output_spatial_dimensions", '[', 'q', 0, 0},
    {"feature_group_count", 'q', 0, 0, 0}, {"batch_group_count", 'q', 0, 0, 0}, {"precision_config", '[', 'I', 0, 0},
};
static const struct field StablehloCustomCallOptions_FIELDS[] = {
    {"call_target_name", 's', 0, 0, 0}, {"has_side_effect", '?', 0, 0, 0}, {"backend_config", 's', 0, 0, 0},
    {"api_version", 'i', 0, 0, 0}, {"called_computations", '[', 'i', 0, 0}, {"custom_attributes", '[', 'B', 0, 0},
};
static const struct field StablehloReduceOptions_FIELDS[] = {
    {"dimensions", '[', 'q', 0, 0}, {"body_subgraph_index", 'i', 0, 0, 0},
};
static const struct field StablehloScatterOptions_FIELDS[] = {
    {"indices_are_sorted", '?', 0, 0, 0}, {"update_window_dims", '[', 'q', 0, 0},
    {"inserted_window_dims", '[', 'q', 0, 0}, {"scatter_dims_to_operand_dims", '[', 'q', 0, 0},
    {"index_vector_dim", 'q', 0, 0, 0}, {"unique_indices", '?', 0, 0, 0},
    {"update_computation_subgraph_index", 'i', 0, 0, 0},
};
static const struct field StablehloCompareOptions_FIELDS[] = {
    {"comparison_direction", 'I', 0, 6, 0}, {"compare_type", 'I', 0, 5, 0},
};
static const struct field StablehloDynamicSliceOptions_FIELDS[] = {
    {"slice_sizes", '[', 'q', 0, 0},
};
static const struct field StablehloPadOptions_FIELDS[] = {
    {"edge_padding_low", '[', 'q', 0, 0}, {"edge_padding_high", '[', 'q', 0, 0}, {"interior_padding", '[', 'q', 0, 0},
};
static const struct field StablehloIotaOptions_FIELDS[] = {
    {"iota_dimension", 'q', 0, 0, 0},
};
static const struct field StablehloDotGeneralOptions_FIELDS[] = {
    {"lhs_batching_dimensions", '[', 'q', 0, 0}, {"rhs_batching_dimensions", '[', 'q', 0, 0},
    {"lhs_contracting_dimensions", '[', 'q', 0, 0}, {"rhs_contracting_dimensions", '[', 'q', 0, 0},
    {"precision_config", '[', 'I', 0, 0},
};
static const struct field StablehloReduceWindowOptions_FIELDS[] = {
    {"window_dimensions", '[', 'q', 0, 0}, {"window_strides", '[', 'q', 0, 0}, {"base_dilations", '[', 'q', 0, 0},
    {"window_dilations", '[', 'q', 0, 0}, {"padding", '[', 'q', 0, 0}, {"body_subgraph_index", 'i', 0, 0, 0},
};
static const struct field StablehloSortOptions_FIELDS[] = {
    {"dimension", 'q', 0, 0, 0}, {"is_stable", '?', 0, 0, 0}, {"comparator_subgraph_index", 'i', 0, 0, 0},
};
static const struct field StablehloWhileOptions_FIELDS[] = {
    {"cond_subgraph_index", 'i', 0, 0, 0}, {"body_subgraph_index", 'i', 0, 0, 0},
};
static const struct field StablehloGatherOptions_FIELDS[] = {
    {"offset_dims", '[', 'q', 0, 0}, {"collapsed_slice_dims", '[', 'q', 0, 0}, {"start_index_map", '[', 'q', 0, 0},
    {"index_vector_dim", 'q', 0, 0, 0}, {"slice_sizes", '[', 'q', 0, 0}, {"indices_are_sorted", '?', 0, 0, 0},
};
static const struct field StablehloTransposeOptions_FIELDS[] = {
    {"permutation", '[', 'q', 0, 0},
};
static const struct field StablehloRngBitGeneratorOptions_FIELDS[] = {
    {"algorithm", 'b', 0, 3, 0},
};
static const struct field ReduceWindowOptions_FIELDS[] = {
    {"reduce_function", 'i', 0, 7, 0},
};
static const struct field StableHLOCompositeOptions_FIELDS[] = {
    {"name", 's', 0, 0, 0}, {"decomposition_subgraph_index", 'i', 0, 0, 0}, {"composite_attributes", '[', 'B', 0, 0},
    {"composite_attributes_format", 'b', 0, 1, 0}, {"version", 'i', 0, 0, 0},
};
static const struct field StablehloCaseOptions_FIELDS[] = {
    {"branch_subgraph_indices", '[', 'i', 0, 0},
};
static const struct kind Model_KIND = {"Model", Model_FIELDS, 10};
static const struct kind OperatorCode_KIND = {"OperatorCode", OperatorCode_FIELDS, 4};
static const struct kind SubGraph_KIND = {"SubGraph", SubGraph_FIELDS, 6};
static const struct kind Tensor_KIND = {"Tensor", Tensor_FIELDS, 11};
static const struct kind QuantizationParameters_KIND = {"QuantizationParameters", QuantizationParameters_FIELDS, 7};
static const struct kind Buffer_KIND = {"Buffer", Buffer_FIELDS, 3};
static const struct kind Operator_KIND = {"Operator", Operator_FIELDS, 14};
static const struct kind Metadata_KIND = {"Metadata", Metadata_FIELDS, 2};
static const struct kind SignatureDef_KIND = {"SignatureDef", SignatureDef_FIELDS, 5};
static const struct kind TensorMap_KIND = {"TensorMap", TensorMap_FIELDS, 2};
static const struct kind Conv2DOptions_KIND = {"Conv2DOptions", Conv2DOptions_FIELDS, 7};
static const struct kind DepthwiseConv2DOptions_KIND = {"DepthwiseConv2DOptions", DepthwiseConv2DOptions_FIELDS, 7};
static const struct kind ConcatEmbeddingsOptions_KIND = {"ConcatEmbeddingsOptions", ConcatEmbeddingsOptions_FIELDS, 3};
static const struct kind LSHProjectionOptions_KIND = {"LSHProjectionOptions", LSHProjectionOptions_FIELDS, 1};
static const struct kind Pool2DOptions_KIND = {"Pool2DOptions", Pool2DOptions_FIELDS, 6};
static const struct kind SVDFOptions_KIND = {"SVDFOptions", SVDFOptions_FIELDS, 3};
static const struct kind RNNOptions_KIND = {"RNNOptions", RNNOptions_FIELDS, 2};
static const struct kind FullyConnectedOptions_KIND = {"FullyConnectedOptions", FullyConnectedOptions_FIELDS, 5};
static const struct kind SoftmaxOptions_KIND = {"SoftmaxOptions", SoftmaxOptions_FIELDS, 1};
static const struct kind ConcatenationOptions_KIND = {"ConcatenationOptions", ConcatenationOptions_FIELDS, 2};
static const struct kind AddOptions_KIND = {"AddOptions", AddOptions_FIELDS, 2};
static const struct kind L2NormOptions_KIND = {"L2NormOptions", L2NormOptions_FIELDS, 1};
static const struct kind LocalResponseNormalizationOptions_KIND = {"LocalResponseNormalizationOptions", LocalResponseNormalizationOptions_FIELDS, 4};
static const struct kind LSTMOptions_KIND = {"LSTMOptions", LSTMOptions_FIELDS, 5};
static const struct kind ResizeBilinearOptions_KIND = {"ResizeBilinearOptions", ResizeBilinearOptions_FIELDS, 4};
static const struct kind CallOptions_KIND = {"CallOptions", CallOptions_FIELDS, 1};
static const struct kind ReshapeOptions_KIND = {"ReshapeOptions", ReshapeOptions_FIELDS, 1};
static const struct kind SkipGramOptions_KIND = {"SkipGramOptions", SkipGramOptions_FIELDS, 3};
static const struct kind SpaceToDepthOptions_KIND = {"SpaceToDepthOptions", SpaceToDepthOptions_FIELDS, 1};
static const struct kind EmbeddingLookupSparseOptions_KIND = {"EmbeddingLookupSparseOptions", EmbeddingLookupSparseOptions_FIELDS, 1};
static const struct kind MulOptions_KIND = {"MulOptions", MulOptions_FIELDS, 1};
static const struct kind PadOptions_KIND = {"PadOptions", NULL, 0};
static const struct kind GatherOptions_KIND = {"GatherOptions", GatherOptions_FIELDS, 2};
static const struct kind BatchToSpaceNDOptions_KIND = {"BatchToSpaceNDOptions", NULL, 0};
static const struct kind SpaceToBatchNDOptions_KIND = {"SpaceToBatchNDOptions", NULL, 0};
static const struct kind TransposeOptions_KIND = {"TransposeOptions", NULL, 0};
static const struct kind ReducerOptions_KIND = {"ReducerOptions", ReducerOptions_FIELDS, 1};
static const struct kind SubOptions_KIND = {"SubOptions", SubOptions_FIELDS, 2};
static const struct kind DivOptions_KIND = {"DivOptions", DivOptions_FIELDS, 1};
static const struct kind SqueezeOptions_KIND = {"SqueezeOptions", SqueezeOptions_FIELDS, 1};
static const struct kind SequenceRNNOptions_KIND = {"SequenceRNNOptions", SequenceRNNOptions_FIELDS, 3};
static const struct kind StridedSliceOptions_KIND = {"StridedSliceOptions", StridedSliceOptions_FIELDS, 6};
static const struct kind ExpOptions_KIND = {"ExpOptions", NULL, 0};
static const struct kind TopKV2Options_KIND = {"TopKV2Options", NULL, 0};
static const struct kind SplitOptions_KIND = {"SplitOptions", SplitOptions_FIELDS, 1};
static const struct kind LogSoftmaxOptions_KIND = {"LogSoftmaxOptions", NULL, 0};
static const struct kind CastOptions_KIND = {"CastOptions", CastOptions_FIELDS, 2};
static const struct kind DequantizeOptions_KIND = {"DequantizeOptions", NULL, 0};
static const struct kind MaximumMinimumOptions_KIND = {"MaximumMinimumOptions", NULL, 0};
static const struct kind ArgMaxOptions_KIND = {"ArgMaxOptions", ArgMaxOptions_FIELDS, 1};
static const struct kind LessOptions_KIND = {"LessOptions", NULL, 0};
static const struct kind NegOptions_KIND = {"NegOptions", NULL, 0};
static const struct kind PadV2Options_KIND = {"PadV2Options", NULL, 0};
static const struct kind GreaterOptions_KIND = {"GreaterOptions", NULL, 0};
static const struct kind GreaterEqualOptions_KIND = {"GreaterEqualOptions", NULL, 0};
static const struct kind LessEqualOptions_KIND = {"LessEqualOptions", NULL, 0};
static const struct kind SelectOptions_KIND = {"SelectOptions", NULL, 0};
static const struct kind SliceOptions_KIND = {"SliceOptions", NULL, 0};
static const struct kind TransposeConvOptions_KIND = {"TransposeConvOptions", TransposeConvOptions_FIELDS, 5};
static const struct kind SparseToDenseOptions_KIND = {"SparseToDenseOptions", SparseToDenseOptions_FIELDS, 1};
static const struct kind TileOptions_KIND = {"TileOptions", NULL, 0};
static const struct kind ExpandDimsOptions_KIND = {"ExpandDimsOptions", NULL, 0};
static const struct kind EqualOptions_KIND = {"EqualOptions", NULL, 0};
static const struct kind NotEqualOptions_KIND = {"NotEqualOptions", NULL, 0};
static const struct kind ShapeOptions_KIND = {"ShapeOptions", ShapeOptions_FIELDS, 1};
static const struct kind PowOptions_KIND = {"PowOptions", NULL, 0};
static const struct kind ArgMinOptions_KIND = {"ArgMinOptions", ArgMinOptions_FIELDS, 1};
static const struct kind FakeQuantOptions_KIND = {"FakeQuantOptions", FakeQuantOptions_FIELDS, 4};
static const struct kind PackOptions_KIND = {"PackOptions", PackOptions_FIELDS, 2};
static const struct kind LogicalOrOptions_KIND = {"LogicalOrOptions", NULL, 0};
static const struct kind OneHotOptions_KIND = {"OneHotOptions", OneHotOptions_FIELDS, 1};
static const struct kind LogicalAndOptions_KIND = {"LogicalAndOptions", NULL, 0};
static const struct kind LogicalNotOptions_KIND = {"LogicalNotOptions", NULL, 0};
static const struct kind UnpackOptions_KIND = {"UnpackOptions", UnpackOptions_FIELDS, 2};
static const struct kind FloorDivOptions_KIND = {"FloorDivOptions", NULL, 0};
static const struct kind SquareOptions_KIND = {"SquareOptions", NULL, 0};
static const struct kind ZerosLikeOptions_KIND = {"ZerosLikeOptions", NULL, 0};
static const struct kind FillOptions_KIND = {"FillOptions", NULL, 0};
static const struct kind BidirectionalSequenceLSTMOptions_KIND = {"BidirectionalSequenceLSTMOptions", BidirectionalSequenceLSTMOptions_FIELDS, 6};
static const struct kind BidirectionalSequenceRNNOptions_KIND = {"BidirectionalSequenceRNNOptions", BidirectionalSequenceRNNOptions_FIELDS, 4};
static const struct kind UnidirectionalSequenceLSTMOptions_KIND = {"UnidirectionalSequenceLSTMOptions", UnidirectionalSequenceLSTMOptions_FIELDS, 6};
static const struct kind FloorModOptions_KIND = {"FloorModOptions", NULL, 0};
static const struct kind RangeOptions_KIND = {"RangeOptions", NULL, 0};
static const struct kind ResizeNearestNeighborOptions_KIND = {"ResizeNearestNeighborOptions", ResizeNearestNeighborOptions_FIELDS, 2};
static const struct kind LeakyReluOptions_KIND = {"LeakyReluOptions", LeakyReluOptions_FIELDS, 1};
static const struct kind SquaredDifferenceOptions_KIND = {"SquaredDifferenceOptions", NULL, 0};
static const struct kind MirrorPadOptions_KIND = {"MirrorPadOptions", MirrorPadOptions_FIELDS, 1};
static const struct kind AbsOptions_KIND = {"AbsOptions", NULL, 0};
static const struct kind SplitVOptions_KIND = {"SplitVOptions", SplitVOptions_FIELDS, 1};
static const struct kind UniqueOptions_KIND = {"UniqueOptions", UniqueOptions_FIELDS, 1};
static const struct kind ReverseV2Options_KIND = {"ReverseV2Options", NULL, 0};
static const struct kind AddNOptions_KIND = {"AddNOptions", NULL, 0};
static const struct kind GatherNdOptions_KIND = {"GatherNdOptions", NULL, 0};
static const struct kind CosOptions_KIND = {"CosOptions", NULL, 0};
static const struct kind WhereOptions_KIND = {"WhereOptions", NULL, 0};
static const struct kind RankOptions_KIND = {"RankOptions", NULL, 0};
static const struct kind ReverseSequenceOptions_KIND = {"ReverseSequenceOptions", ReverseSequenceOptions_FIELDS, 2};
static const struct kind MatrixDiagOptions_KIND = {"MatrixDiagOptions", NULL, 0};
static const struct kind QuantizeOptions_KIND = {"QuantizeOptions", NULL, 0};
static const struct kind MatrixSetDiagOptions_KIND = {"MatrixSetDiagOptions", NULL, 0};
static const struct kind HardSwishOptions_KIND = {"HardSwishOptions", NULL, 0};
static const struct kind IfOptions_KIND = {"IfOptions", IfOptions_FIELDS, 2};
static const struct kind WhileOptions_KIND = {"WhileOptions", WhileOptions_FIELDS, 2};
static const struct kind DepthToSpaceOptions_KIND = {"DepthToSpaceOptions", DepthToSpaceOptions_FIELDS, 1};
static const struct kind NonMaxSuppressionV4Options_KIND = {"NonMaxSuppressionV4Options", NULL, 0};
static const struct kind NonMaxSuppressionV5Options_KIND = {"NonMaxSuppressionV5Options", NULL, 0};
static const struct kind ScatterNdOptions_KIND = {"ScatterNdOptions", NULL, 0};
static const struct kind SelectV2Options_KIND = {"SelectV2Options", NULL, 0};
static const struct kind DensifyOptions_KIND = {"DensifyOptions", NULL, 0};
static const struct kind SegmentSumOptions_KIND = {"SegmentSumOptions", NULL, 0};
static const struct kind BatchMatMulOptions_KIND = {"BatchMatMulOptions", BatchMatMulOptions_FIELDS, 3};
static const struct kind CumsumOptions_KIND = {"CumsumOptions", CumsumOptions_FIELDS, 2};
static const struct kind CallOnceOptions_KIND = {"CallOnceOptions", CallOnceOptions_FIELDS, 1};
static const struct kind BroadcastToOptions_KIND = {"BroadcastToOptions", NULL, 0};
static const struct kind Rfft2dOptions_KIND = {"Rfft2dOptions", NULL, 0};
static const struct kind Conv3DOptions_KIND = {"Conv3DOptions", Conv3DOptions_FIELDS, 8};
static const struct kind HashtableOptions_KIND = {"HashtableOptions", HashtableOptions_FIELDS, 3};
static const struct kind HashtableFindOptions_KIND = {"HashtableFindOptions", NULL, 0};
static const struct kind HashtableImportOptions_KIND = {"HashtableImportOptions", NULL, 0};
static const struct kind HashtableSizeOptions_KIND = {"HashtableSizeOptions", NULL, 0};
static const struct kind VarHandleOptions_KIND = {"VarHandleOptions", VarHandleOptions_FIELDS, 2};
static const struct kind ReadVariableOptions_KIND = {"ReadVariableOptions", NULL, 0};
static const struct kind AssignVariableOptions_KIND = {"AssignVariableOptions", NULL, 0};
static const struct kind RandomOptions_KIND = {"RandomOptions", RandomOptions_FIELDS, 2};
static const struct kind BucketizeOptions_KIND = {"BucketizeOptions", BucketizeOptions_FIELDS, 1};
static const struct kind GeluOptions_KIND = {"GeluOptions", GeluOptions_FIELDS, 1};
static const struct kind DynamicUpdateSliceOptions_KIND = {"DynamicUpdateSliceOptions", NULL, 0};
static const struct kind UnsortedSegmentProdOptions_KIND = {"UnsortedSegmentProdOptions", NULL, 0};
static const struct kind UnsortedSegmentMaxOptions_KIND = {"UnsortedSegmentMaxOptions", NULL, 0};
static const struct kind UnsortedSegmentMinOptions_KIND = {"UnsortedSegmentMinOptions", NULL, 0};
static const struct kind UnsortedSegmentSumOptions_KIND = {"UnsortedSegmentSumOptions", NULL, 0};
static const struct kind ATan2Options_KIND = {"ATan2Options", NULL, 0};
static const struct kind SignOptions_KIND = {"SignOptions", NULL, 0};
static const struct kind BitcastOptions_KIND = {"BitcastOptions", NULL, 0};
static const struct kind BitwiseXorOptions_KIND = {"BitwiseXorOptions", NULL, 0};
static const struct kind RightShiftOptions_KIND = {"RightShiftOptions", NULL, 0};
static const struct kind StablehloConcatenateOptions_KIND = {"StablehloConcatenateOptions", StablehloConcatenateOptions_FIELDS, 1};
static const struct kind StablehloBroadcastInDimOptions_KIND = {"StablehloBroadcastInDimOptions", StablehloBroadcastInDimOptions_FIELDS, 1};
static const struct kind StablehloSliceOptions_KIND = {"StablehloSliceOptions", StablehloSliceOptions_FIELDS, 3};
static const struct kind StablehloConvolutionOptions_KIND = {"StablehloConvolutionOptions", StablehloConvolutionOptions_FIELDS, 17};
static const struct kind StablehloCustomCallOptions_KIND = {"StablehloCustomCallOptions", StablehloCustomCallOptions_FIELDS, 6};
static const struct kind StablehloReduceOptions_KIND = {"StablehloReduceOptions", StablehloReduceOptions_FIELDS, 2};
static const struct kind StablehloScatterOptions_KIND = {"StablehloScatterOptions", StablehloScatterOptions_FIELDS, 7};
static const struct kind StablehloCompareOptions_KIND = {"StablehloCompareOptions", StablehloCompareOptions_FIELDS, 2};
static const struct kind StablehloDynamicSliceOptions_KIND = {"StablehloDynamicSliceOptions", StablehloDynamicSliceOptions_FIELDS, 1};
static const struct kind StablehloPadOptions_KIND = {"StablehloPadOptions", StablehloPadOptions_FIELDS, 3};
static const struct kind StablehloIotaOptions_KIND = {"StablehloIotaOptions", StablehloIotaOptions_FIELDS, 1};
static const struct kind StablehloDotGeneralOptions_KIND = {"StablehloDotGeneralOptions", StablehloDotGeneralOptions_FIELDS, 5};
static const struct kind StablehloReduceWindowOptions_KIND = {"StablehloReduceWindowOptions", StablehloReduceWindowOptions_FIELDS, 6};
static const struct kind StablehloSortOptions_KIND = {"StablehloSortOptions", StablehloSortOptions_FIELDS, 3};
static const struct kind StablehloWhileOptions_KIND = {"StablehloWhileOptions", StablehloWhileOptions_FIELDS, 2};
static const struct kind StablehloGatherOptions_KIND = {"StablehloGatherOptions", StablehloGatherOptions_FIELDS, 6};
static const struct kind StablehloTransposeOptions_KIND = {"StablehloTransposeOptions", StablehloTransposeOptions_FIELDS, 1};
static const struct kind DilateOptions_KIND = {"DilateOptions", NULL, 0};
static const struct kind StablehloRngBitGeneratorOptions_KIND = {"StablehloRngBitGeneratorOptions", StablehloRngBitGeneratorOptions_FIELDS, 1};
static const struct kind ReduceWindowOptions_KIND = {"ReduceWindowOptions", ReduceWindowOptions_FIELDS, 1};
static const struct kind StableHLOCompositeOptions_KIND = {"StableHLOCompositeOptions", StableHLOCompositeOptions_FIELDS, 5};
static const struct kind StablehloShiftLeftOptions_KIND = {"StablehloShiftLeftOptions", NULL, 0};
static const struct kind StablehloCaseOptions_KIND = {"StablehloCaseOptions", StablehloCaseOptions_FIELDS, 1};
static const struct kind *const OPTIONS[] = {
    NULL, &Conv2DOptions_KIND, &DepthwiseConv2DOptions_KIND, &ConcatEmbeddingsOptions_KIND,
    &LSHProjectionOptions_KIND, &Pool2DOptions_KIND, &SVDFOptions_KIND, &RNNOptions_KIND, &FullyConnectedOptions_KIND,
    &SoftmaxOptions_KIND, &ConcatenationOptions_KIND, &AddOptions_KIND, &L2NormOptions_KIND,
    &LocalResponseNormalizationOptions_KIND, &LSTMOptions_KIND, &ResizeBilinearOptions_KIND, &CallOptions_KIND,
    &ReshapeOptions_KIND, &SkipGramOptions_KIND, &SpaceToDepthOptions_KIND, &EmbeddingLookupSparseOptions_KIND,
    &MulOptions_KIND, &PadOptions_KIND, &GatherOptions_KIND, &BatchToSpaceNDOptions_KIND, &SpaceToBatchNDOptions_KIND,
    &TransposeOptions_KIND, &ReducerOptions_KIND, &SubOptions_KIND, &DivOptions_KIND, &SqueezeOptions_KIND,
    &SequenceRNNOptions_KIND, &StridedSliceOptions_KIND, &ExpOptions_KIND, &TopKV2Options_KIND, &SplitOptions_KIND,
    &LogSoftmaxOptions_KIND, &CastOptions_KIND, &DequantizeOptions_KIND, &MaximumMinimumOptions_KIND,
    &ArgMaxOptions_KIND, &LessOptions_KIND, &NegOptions_KIND, &PadV2Options_KIND, &GreaterOptions_KIND,
    &GreaterEqualOptions_KIND, &LessEqualOptions_KIND, &SelectOptions_KIND, &SliceOptions_KIND,
    &TransposeConvOptions_KIND, &SparseToDenseOptions_KIND, &TileOptions_KIND, &ExpandDimsOptions_KIND,
    &EqualOptions_KIND, &NotEqualOptions_KIND, &ShapeOptions_KIND, &PowOptions_KIND, &ArgMinOptions_KIND,
    &FakeQuantOptions_KIND, &PackOptions_KIND, &LogicalOrOptions_KIND, &OneHotOptions_KIND, &LogicalAndOptions_KIND,
    &LogicalNotOptions_KIND, &UnpackOptions_KIND, &FloorDivOptions_KIND, &SquareOptions_KIND, &ZerosLikeOptions_KIND,
    &FillOptions_KIND, &BidirectionalSequenceLSTMOptions_KIND, &BidirectionalSequenceRNNOptions_KIND,
    &UnidirectionalSequenceLSTMOptions_KIND, &FloorModOptions_KIND, &RangeOptions_KIND,
    &ResizeNearestNeighborOptions_KIND, &LeakyReluOptions_KIND, &SquaredDifferenceOptions_KIND,
    &MirrorPadOptions_KIND, &AbsOptions_KIND, &SplitVOptions_KIND, &UniqueOptions_KIND, &ReverseV2Options_KIND,
    &AddNOptions_KIND, &GatherNdOptions_KIND, &CosOptions_KIND, &WhereOptions_KIND, &RankOptions_KIND,
    &ReverseSequenceOptions_KIND, &MatrixDiagOptions_KIND, &QuantizeOptions_KIND, &MatrixSetDiagOptions_KIND,
    &HardSwishOptions_KIND, &IfOptions_KIND, &WhileOptions_KIND, &DepthToSpaceOptions_KIND,
    &NonMaxSuppressionV4Options_KIND, &NonMaxSuppressionV5Options_KIND, &ScatterNdOptions_KIND, &SelectV2Options_KIND,
    &DensifyOptions_KIND, &SegmentSumOptions_KIND, &BatchMatMulOptions_KIND, &CumsumOptions_KIND,
    &CallOnceOptions_KIND, &BroadcastToOptions_KIND, &Rfft2dOptions_KIND, &Conv3DOptions_KIND, &HashtableOptions_KIND,
    &HashtableFindOptions_KIND, &HashtableImportOptions_KIND, &HashtableSizeOptions_KIND, &VarHandleOptions_KIND,
    &ReadVariableOptions_KIND, &AssignVariableOptions_KIND, &RandomOptions_KIND, &BucketizeOptions_KIND,
    &GeluOptions_KIND, &DynamicUpdateSliceOptions_KIND, &UnsortedSegmentProdOptions_KIND,
    &UnsortedSegmentMaxOptions_KIND, &UnsortedSegmentMinOptions_KIND, &UnsortedSegmentSumOptions_KIND,
    &ATan2Options_KIND, &SignOptions_KIND, &BitcastOptions_KIND, &BitwiseXorOptions_KIND, &RightShiftOptions_KIND,
};
static const struct kind *const OPTIONS_2[] = {
    NULL, &StablehloConcatenateOptions_KIND, &StablehloBroadcastInDimOptions_KIND, &StablehloSliceOptions_KIND,
    &StablehloConvolutionOptions_KIND, &StablehloCustomCallOptions_KIND, &StablehloReduceOptions_KIND,
    &StablehloScatterOptions_KIND, &StablehloCompareOptions_KIND, &StablehloDynamicSliceOptions_KIND,
    &StablehloPadOptions_KIND, &StablehloIotaOptions_KIND, &StablehloDotGeneralOptions_KIND,
    &StablehloReduceWindowOptions_KIND, &StablehloSortOptions_KIND, &StablehloWhileOptions_KIND,
    &StablehloGatherOptions_KIND, &StablehloTransposeOptions_KIND, &DilateOptions_KIND,
    &StablehloRngBitGeneratorOptions_KIND, &ReduceWindowOptions_KIND, &StableHLOCompositeOptions_KIND,
    &StablehloShiftLeftOptions_KIND, &StablehloCaseOptions_KIND,
};
enum { QUANTIZATION_DETAILS = 3 };
