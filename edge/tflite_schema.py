"""The schema of TFLite flatbuffers as data: which tables there are, and which fields each of them has.

Source: schema.fbs of LiteRT 2.1 (ai_edge_litert.schema_py_generated); a test compares.
firmware_bridge/native/tools/make_schema.py makes the native program's tables from these.

A table is a line, which goes on where the next one begins with a space: its name, then its fields in the order of their
slots, "name:type" with

    ? b B i I q Q f     a scalar, by the letters of `struct`
    [x                  a vector of such scalars, [s of strings, [Name of tables
    s, Name, U          a string, a table, a union, whose table's number is in the field before
    <n                  the value is less than n: an enumeration of n names
    =n                  what it is where the file leaves it out, 0 if this is not there

and "-" for a slot that is no longer used. Tables of what the program refuses (sparse tensors, weights in other files)
are not here.
"""

TENSOR_TYPES = """
FLOAT32 FLOAT16 INT32 UINT8 INT64 STRING BOOL INT16 COMPLEX64 INT8 FLOAT64 COMPLEX128 UINT64 RESOURCE VARIANT UINT32
UINT16 INT4 BFLOAT16 INT2
""".split()  # noqa: SIM905

OPERATORS = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2
GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG
SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE
MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5
SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO
RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE
RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD
STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE
STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH
STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE
STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE
STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE
STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
""".split()  # noqa: SIM905

# Unions: a table's name by its number.
OPTIONS = """
NONE Conv2DOptions DepthwiseConv2DOptions ConcatEmbeddingsOptions LSHProjectionOptions Pool2DOptions SVDFOptions
RNNOptions FullyConnectedOptions SoftmaxOptions ConcatenationOptions AddOptions L2NormOptions
LocalResponseNormalizationOptions LSTMOptions ResizeBilinearOptions CallOptions ReshapeOptions SkipGramOptions
SpaceToDepthOptions EmbeddingLookupSparseOptions MulOptions PadOptions GatherOptions BatchToSpaceNDOptions
SpaceToBatchNDOptions TransposeOptions ReducerOptions SubOptions DivOptions SqueezeOptions SequenceRNNOptions
StridedSliceOptions ExpOptions TopKV2Options SplitOptions LogSoftmaxOptions CastOptions DequantizeOptions
MaximumMinimumOptions ArgMaxOptions LessOptions NegOptions PadV2Options GreaterOptions GreaterEqualOptions
LessEqualOptions SelectOptions SliceOptions TransposeConvOptions SparseToDenseOptions TileOptions ExpandDimsOptions
EqualOptions NotEqualOptions ShapeOptions PowOptions ArgMinOptions FakeQuantOptions PackOptions LogicalOrOptions
OneHotOptions LogicalAndOptions LogicalNotOptions UnpackOptions FloorDivOptions SquareOptions ZerosLikeOptions
FillOptions BidirectionalSequenceLSTMOptions BidirectionalSequenceRNNOptions UnidirectionalSequenceLSTMOptions
FloorModOptions RangeOptions ResizeNearestNeighborOptions LeakyReluOptions SquaredDifferenceOptions MirrorPadOptions
AbsOptions SplitVOptions UniqueOptions ReverseV2Options AddNOptions GatherNdOptions CosOptions WhereOptions
RankOptions ReverseSequenceOptions MatrixDiagOptions QuantizeOptions MatrixSetDiagOptions HardSwishOptions IfOptions
WhileOptions DepthToSpaceOptions NonMaxSuppressionV4Options NonMaxSuppressionV5Options ScatterNdOptions
SelectV2Options DensifyOptions SegmentSumOptions BatchMatMulOptions CumsumOptions CallOnceOptions BroadcastToOptions
Rfft2dOptions Conv3DOptions HashtableOptions HashtableFindOptions HashtableImportOptions HashtableSizeOptions
VarHandleOptions ReadVariableOptions AssignVariableOptions RandomOptions BucketizeOptions GeluOptions
DynamicUpdateSliceOptions UnsortedSegmentProdOptions UnsortedSegmentMaxOptions UnsortedSegmentMinOptions
UnsortedSegmentSumOptions ATan2Options SignOptions BitcastOptions BitwiseXorOptions RightShiftOptions
""".split()  # noqa: SIM905

OPTIONS_2 = """
NONE StablehloConcatenateOptions StablehloBroadcastInDimOptions StablehloSliceOptions StablehloConvolutionOptions
StablehloCustomCallOptions StablehloReduceOptions StablehloScatterOptions StablehloCompareOptions
StablehloDynamicSliceOptions StablehloPadOptions StablehloIotaOptions StablehloDotGeneralOptions
StablehloReduceWindowOptions StablehloSortOptions StablehloWhileOptions StablehloGatherOptions
StablehloTransposeOptions DilateOptions StablehloRngBitGeneratorOptions ReduceWindowOptions StableHLOCompositeOptions
StablehloShiftLeftOptions StablehloCaseOptions
""".split()  # noqa: SIM905

QUANTIZATION_DETAILS = ["NONE", "CustomQuantization", "BlockwiseQuantization"]

TABLES = """
Model version:I operator_codes:[OperatorCode subgraphs:[SubGraph description:s buffers:[Buffer
    metadata_buffer:[i metadata:[Metadata signature_defs:[SignatureDef external_buffer_groups:[ExternalBufferGroup
    external_buffers:[ExternalBuffer
OperatorCode deprecated_builtin_code:b custom_code:s version:i=1 builtin_code:i
SubGraph tensors:[Tensor inputs:[i outputs:[i operators:[Operator name:s debug_metadata_index:i=-1
Tensor shape:[i type:b<20 buffer:I name:s quantization:QuantizationParameters is_variable:?
    sparsity:SparsityParameters shape_signature:[i has_rank:? variant_tensors:[VariantSubType external_buffer:I
QuantizationParameters min:[f max:[f scale:[f zero_point:[q details_type:B details:U quantized_dimension:i
Buffer data:[B offset:Q size:Q
Operator opcode_index:I inputs:[i outputs:[i builtin_options_type:B builtin_options:U custom_options:[B
    custom_options_format:b<1 mutating_variable_inputs:[? intermediates:[i large_custom_options_offset:Q
    large_custom_options_size:Q builtin_options2_type:B builtin_options2:U debug_metadata_index:i=-1
Metadata name:s buffer:I
SignatureDef inputs:[TensorMap outputs:[TensorMap signature_key:s - subgraph_index:I
TensorMap name:s tensor_index:I
Conv2DOptions padding:b<2 stride_w:i stride_h:i fused_activation_function:b<6 dilation_w_factor:i=1
    dilation_h_factor:i=1 quantized_bias_type:b<20
DepthwiseConv2DOptions padding:b<2 stride_w:i stride_h:i depth_multiplier:i fused_activation_function:b<6
    dilation_w_factor:i=1 dilation_h_factor:i=1
ConcatEmbeddingsOptions num_channels:i num_columns_per_channel:[i embedding_dim_per_channel:[i
LSHProjectionOptions type:b<3
Pool2DOptions padding:b<2 stride_w:i stride_h:i filter_width:i filter_height:i fused_activation_function:b<6
SVDFOptions rank:i fused_activation_function:b<6 asymmetric_quantize_inputs:?
RNNOptions fused_activation_function:b<6 asymmetric_quantize_inputs:?
FullyConnectedOptions fused_activation_function:b<6 weights_format:b<2 keep_num_dims:?
    asymmetric_quantize_inputs:? quantized_bias_type:b<20
SoftmaxOptions beta:f
ConcatenationOptions axis:i fused_activation_function:b<6
AddOptions fused_activation_function:b<6 pot_scale_int16:?=1
L2NormOptions fused_activation_function:b<6
LocalResponseNormalizationOptions radius:i bias:f alpha:f beta:f
LSTMOptions fused_activation_function:b<6 cell_clip:f proj_clip:f kernel_type:b<2 asymmetric_quantize_inputs:?
ResizeBilinearOptions - - align_corners:? half_pixel_centers:?
CallOptions subgraph:I
ReshapeOptions new_shape:[i
SkipGramOptions ngram_size:i max_skip_size:i include_all_ngrams:?
SpaceToDepthOptions block_size:i
EmbeddingLookupSparseOptions combiner:b<3
MulOptions fused_activation_function:b<6
PadOptions
GatherOptions axis:i batch_dims:i
BatchToSpaceNDOptions
SpaceToBatchNDOptions
TransposeOptions
ReducerOptions keep_dims:?
SubOptions fused_activation_function:b<6 pot_scale_int16:?=1
DivOptions fused_activation_function:b<6
SqueezeOptions squeeze_dims:[i
SequenceRNNOptions time_major:? fused_activation_function:b<6 asymmetric_quantize_inputs:?
StridedSliceOptions begin_mask:i end_mask:i ellipsis_mask:i new_axis_mask:i shrink_axis_mask:i offset:?
ExpOptions
TopKV2Options
SplitOptions num_splits:i
LogSoftmaxOptions
CastOptions in_data_type:b<20 out_data_type:b<20
DequantizeOptions
MaximumMinimumOptions
ArgMaxOptions output_type:b<20
LessOptions
NegOptions
PadV2Options
GreaterOptions
GreaterEqualOptions
LessEqualOptions
SelectOptions
SliceOptions
TransposeConvOptions padding:b<2 stride_w:i stride_h:i fused_activation_function:b<6 quantized_bias_type:b<20
SparseToDenseOptions validate_indices:?
TileOptions
ExpandDimsOptions
EqualOptions
NotEqualOptions
ShapeOptions out_type:b<20
PowOptions
ArgMinOptions output_type:b<20
FakeQuantOptions min:f max:f num_bits:i narrow_range:?
PackOptions values_count:i axis:i
LogicalOrOptions
OneHotOptions axis:i
LogicalAndOptions
LogicalNotOptions
UnpackOptions num:i axis:i
FloorDivOptions
SquareOptions
ZerosLikeOptions
FillOptions
BidirectionalSequenceLSTMOptions fused_activation_function:b<6 cell_clip:f proj_clip:f merge_outputs:?
    time_major:?=1 asymmetric_quantize_inputs:?
BidirectionalSequenceRNNOptions time_major:? fused_activation_function:b<6 merge_outputs:?
    asymmetric_quantize_inputs:?
UnidirectionalSequenceLSTMOptions fused_activation_function:b<6 cell_clip:f proj_clip:f time_major:?
    asymmetric_quantize_inputs:? diagonal_recurrent_tensors:?
FloorModOptions
RangeOptions
ResizeNearestNeighborOptions align_corners:? half_pixel_centers:?
LeakyReluOptions alpha:f
SquaredDifferenceOptions
MirrorPadOptions mode:b<2
AbsOptions
SplitVOptions num_splits:i
UniqueOptions idx_out_type:b<20=2
ReverseV2Options
AddNOptions
GatherNdOptions
CosOptions
WhereOptions
RankOptions
ReverseSequenceOptions seq_dim:i batch_dim:i
MatrixDiagOptions
QuantizeOptions
MatrixSetDiagOptions
HardSwishOptions
IfOptions then_subgraph_index:i else_subgraph_index:i
WhileOptions cond_subgraph_index:i body_subgraph_index:i
DepthToSpaceOptions block_size:i
NonMaxSuppressionV4Options
NonMaxSuppressionV5Options
ScatterNdOptions
SelectV2Options
DensifyOptions
SegmentSumOptions
BatchMatMulOptions adj_x:? adj_y:? asymmetric_quantize_inputs:?
CumsumOptions exclusive:? reverse:?
CallOnceOptions init_subgraph_index:i
BroadcastToOptions
Rfft2dOptions
Conv3DOptions padding:b<2 stride_d:i stride_w:i stride_h:i fused_activation_function:b<6 dilation_d_factor:i=1
    dilation_w_factor:i=1 dilation_h_factor:i=1
HashtableOptions table_id:i key_dtype:b<20 value_dtype:b<20
HashtableFindOptions
HashtableImportOptions
HashtableSizeOptions
VarHandleOptions container:s shared_name:s
ReadVariableOptions
AssignVariableOptions
RandomOptions seed:q seed2:q
BucketizeOptions boundaries:[f
GeluOptions approximate:?
DynamicUpdateSliceOptions
UnsortedSegmentProdOptions
UnsortedSegmentMaxOptions
UnsortedSegmentMinOptions
UnsortedSegmentSumOptions
ATan2Options
SignOptions
BitcastOptions
BitwiseXorOptions
RightShiftOptions
StablehloConcatenateOptions dimension:q
StablehloBroadcastInDimOptions broadcast_dimensions:[q
StablehloSliceOptions start_indices:[q limit_indices:[q strides:[q
StablehloConvolutionOptions window_strides:[q padding:[q lhs_dilation:[q rhs_dilation:[q window_reversal:[?
    input_batch_dimension:q input_feature_dimension:q input_spatial_dimensions:[q kernel_input_feature_dimension:q
    kernel_output_feature_dimension:q kernel_spatial_dimensions:[q output_batch_dimension:q
    output_feature_dimension:q output_spatial_dimensions:[q feature_group_count:q batch_group_count:q
    precision_config:[I
StablehloCustomCallOptions call_target_name:s has_side_effect:? backend_config:s api_version:i
    called_computations:[i custom_attributes:[B
StablehloReduceOptions dimensions:[q body_subgraph_index:i
StablehloScatterOptions indices_are_sorted:? update_window_dims:[q inserted_window_dims:[q
    scatter_dims_to_operand_dims:[q index_vector_dim:q unique_indices:? update_computation_subgraph_index:i
StablehloCompareOptions comparison_direction:I<6 compare_type:I<5
StablehloDynamicSliceOptions slice_sizes:[q
StablehloPadOptions edge_padding_low:[q edge_padding_high:[q interior_padding:[q
StablehloIotaOptions iota_dimension:q
StablehloDotGeneralOptions lhs_batching_dimensions:[q rhs_batching_dimensions:[q lhs_contracting_dimensions:[q
    rhs_contracting_dimensions:[q precision_config:[I
StablehloReduceWindowOptions window_dimensions:[q window_strides:[q base_dilations:[q window_dilations:[q
    padding:[q body_subgraph_index:i
StablehloSortOptions dimension:q is_stable:? comparator_subgraph_index:i
StablehloWhileOptions cond_subgraph_index:i body_subgraph_index:i
StablehloGatherOptions offset_dims:[q collapsed_slice_dims:[q start_index_map:[q index_vector_dim:q
    slice_sizes:[q indices_are_sorted:?
StablehloTransposeOptions permutation:[q
DilateOptions
StablehloRngBitGeneratorOptions algorithm:b<3
ReduceWindowOptions reduce_function:i<7
StableHLOCompositeOptions name:s decomposition_subgraph_index:i composite_attributes:[B
    composite_attributes_format:b<1 version:i
StablehloShiftLeftOptions
StablehloCaseOptions branch_subgraph_indices:[i
"""

# Operators' arguments, as LiteRT's kernels take them: name, options, inputs, outputs. Options: "-" none are looked at;
# "X" must be X; "X?" may be missing. Inputs: "2", "2-3", "2+" and, where the last ones may be left out by -1, "@" and
# the first of those.
# Of a DEPTHWISE_CONV_2D with 2 inputs LiteRT reads the third all the same.
ARGUMENTS = """
ABS AbsOptions? 1 1
ADD AddOptions? 2 1
ADD_N AddNOptions? 1+ 1
ARG_MAX ArgMaxOptions? 2 1
ARG_MIN ArgMinOptions? 2 1
ASSIGN_VARIABLE AssignVariableOptions? 2 0
ATAN2 ATan2Options? 2 1
AVERAGE_POOL_2D Pool2DOptions 1 1
BATCH_MATMUL BatchMatMulOptions? 2 1
BATCH_TO_SPACE_ND BatchToSpaceNDOptions? 3 1
BIDIRECTIONAL_SEQUENCE_LSTM BidirectionalSequenceLSTMOptions 48@1 1-2
BIDIRECTIONAL_SEQUENCE_RNN BidirectionalSequenceRNNOptions 12@1 1-2
BITCAST BitcastOptions? 1 1
BITWISE_XOR BitwiseXorOptions? 2 1
BROADCAST_ARGS - 2 1
BROADCAST_TO BroadcastToOptions? 2 1
BUCKETIZE BucketizeOptions 1 1
CALL_ONCE CallOnceOptions 0 0
CAST CastOptions? 1 1
CEIL - 1 1
COMPLEX_ABS - 1 1
CONCATENATION ConcatenationOptions 1+ 1
CONV_2D Conv2DOptions 2-3@2 1
CONV_3D Conv3DOptions 2-3@2 1
CONV_3D_TRANSPOSE Conv3DOptions 3-4@3 1
COS CosOptions? 1 1
CUMSUM CumsumOptions? 2 1
CUSTOM - 0+@0 0+
DENSIFY DensifyOptions? 1 1
DEPTHWISE_CONV_2D DepthwiseConv2DOptions 3@2 1
DEPTH_TO_SPACE DepthToSpaceOptions 1 1
DEQUANTIZE DequantizeOptions? 1 1
DILATE DilateOptions? 3 1
DIV DivOptions? 2 1
DYNAMIC_UPDATE_SLICE DynamicUpdateSliceOptions? 3 1
ELU - 1 1
EMBEDDING_LOOKUP - 2 1
EMBEDDING_LOOKUP_SPARSE EmbeddingLookupSparseOptions 5 1
EQUAL EqualOptions? 2 1
EXP ExpOptions? 1 1
EXPAND_DIMS ExpandDimsOptions? 2 1
FAKE_QUANT FakeQuantOptions 1 1
FILL FillOptions? 2 1
FLOOR - 1 1
FLOOR_DIV FloorDivOptions? 2 1
FLOOR_MOD FloorModOptions? 2 1
FULLY_CONNECTED FullyConnectedOptions 2-3@2 1-2
GATHER GatherOptions? 2 1
GATHER_ND GatherNdOptions? 2 1
GELU GeluOptions? 1 1
GREATER GreaterOptions? 2 1
GREATER_EQUAL GreaterEqualOptions? 2 1
HARD_SWISH HardSwishOptions? 1 1
HASHTABLE HashtableOptions 0 1
HASHTABLE_FIND HashtableFindOptions? 3 1
HASHTABLE_IMPORT HashtableImportOptions? 3 0
HASHTABLE_LOOKUP - 3 2
HASHTABLE_SIZE HashtableSizeOptions? 1 1
IF IfOptions 1+ 0+
IMAG - 1 1
L2_NORMALIZATION L2NormOptions? 1 1
L2_POOL_2D Pool2DOptions 1 1
LEAKY_RELU LeakyReluOptions? 1 1
LESS LessOptions? 2 1
LESS_EQUAL LessEqualOptions? 2 1
LOCAL_RESPONSE_NORMALIZATION LocalResponseNormalizationOptions 1 1
LOG - 1 1
LOGICAL_AND LogicalAndOptions? 2 1
LOGICAL_NOT LogicalNotOptions? 1 1
LOGICAL_OR LogicalOrOptions? 2 1
LOGISTIC - 1 1
LOG_SOFTMAX LogSoftmaxOptions? 1 1
LSH_PROJECTION LSHProjectionOptions 2-3 1
LSTM LSTMOptions 5-24@1 1-4
MATRIX_DIAG MatrixDiagOptions? 1 1
MATRIX_SET_DIAG MatrixSetDiagOptions? 2 1
MAXIMUM MaximumMinimumOptions? 2 1
MAX_POOL_2D Pool2DOptions 1 1
MEAN ReducerOptions? 2 1
MINIMUM MaximumMinimumOptions? 2 1
MIRROR_PAD MirrorPadOptions? 2 1
MUL MulOptions? 2 1
MULTINOMIAL RandomOptions? 2 1
NEG NegOptions? 1 1
NON_MAX_SUPPRESSION_V4 NonMaxSuppressionV4Options? 5 2
NON_MAX_SUPPRESSION_V5 NonMaxSuppressionV5Options? 6 3
NOT_EQUAL NotEqualOptions? 2 1
ONE_HOT OneHotOptions? 4 1
PACK PackOptions 1+ 1
PAD PadOptions? 2 1
PADV2 PadV2Options? 3 1
POW PowOptions? 2 1
PRELU - 2 1
QUANTIZE QuantizeOptions? 1 1
RANDOM_STANDARD_NORMAL RandomOptions? 1 1
RANDOM_UNIFORM RandomOptions? 1 1
RANGE RangeOptions? 3 1
RANK RankOptions? 1 1
READ_VARIABLE ReadVariableOptions? 1 1
REAL - 1 1
REDUCE_ALL ReducerOptions? 2 1
REDUCE_ANY ReducerOptions? 2 1
REDUCE_MAX ReducerOptions? 2 1
REDUCE_MIN ReducerOptions? 2 1
REDUCE_PROD ReducerOptions? 2 1
REDUCE_WINDOW ReduceWindowOptions 5 1
RELU - 1 1
RELU6 - 1 1
RELU_0_TO_1 - 1 1
RELU_N1_TO_1 - 1 1
RESHAPE ReshapeOptions? 1-2 1
RESIZE_BILINEAR ResizeBilinearOptions? 2 1
RESIZE_NEAREST_NEIGHBOR ResizeNearestNeighborOptions? 2 1
REVERSE_SEQUENCE ReverseSequenceOptions 2 1
REVERSE_V2 ReverseV2Options? 2 1
RFFT2D Rfft2dOptions? 2 1
RIGHT_SHIFT RightShiftOptions? 2 1
RNN RNNOptions 5 1
ROUND - 1 1
RSQRT - 1 1
SCATTER_ND ScatterNdOptions? 3 1
SEGMENT_SUM SegmentSumOptions? 2 1
SELECT SelectOptions? 3 1
SELECT_V2 SelectV2Options? 3 1
SHAPE ShapeOptions? 1 1
SIGN SignOptions? 1 1
SIN - 1 1
SKIP_GRAM SkipGramOptions 1 1
SLICE SliceOptions? 3 1
SOFTMAX SoftmaxOptions 1 1
SPACE_TO_BATCH_ND SpaceToBatchNDOptions? 3 1
SPACE_TO_DEPTH SpaceToDepthOptions 1 1
SPARSE_TO_DENSE SparseToDenseOptions? 4 1
SPLIT SplitOptions 2 1+
SPLIT_V SplitVOptions 3 1+
SQRT - 1 1
SQUARE SquareOptions? 1 1
SQUARED_DIFFERENCE SquaredDifferenceOptions? 2 1
SQUEEZE SqueezeOptions? 1 1
STRIDED_SLICE StridedSliceOptions? 4 1
SUB SubOptions? 2 1
SUM ReducerOptions? 2 1
SVDF SVDFOptions 5@3 1
TANH - 1 1
TILE TileOptions? 2 1
TOPK_V2 TopKV2Options? 2 2
TRANSPOSE TransposeOptions? 2 1
TRANSPOSE_CONV TransposeConvOptions 3-4@3 1
UNIDIRECTIONAL_SEQUENCE_LSTM UnidirectionalSequenceLSTMOptions 20-24@1 1
UNIDIRECTIONAL_SEQUENCE_RNN SequenceRNNOptions 5 1
UNIQUE UniqueOptions? 1 2
UNPACK UnpackOptions 1 1+
UNSORTED_SEGMENT_MAX UnsortedSegmentMaxOptions? 3 1
UNSORTED_SEGMENT_MIN UnsortedSegmentMinOptions? 3 1
UNSORTED_SEGMENT_PROD UnsortedSegmentProdOptions? 3 1
UNSORTED_SEGMENT_SUM UnsortedSegmentSumOptions? 3 1
VAR_HANDLE VarHandleOptions 0 1
WHERE WhereOptions? 1 1
WHILE WhileOptions 1+ 1+
ZEROS_LIKE ZerosLikeOptions? 1 1
STABLEHLO_ABS - 1 1
STABLEHLO_ADD - 2 1
STABLEHLO_AND - 2 1
STABLEHLO_BROADCAST_IN_DIM StablehloBroadcastInDimOptions 1 1
STABLEHLO_CASE StablehloCaseOptions 1+ 0+
STABLEHLO_CBRT - 1 1
STABLEHLO_CLAMP - 3 1
STABLEHLO_COMPARE StablehloCompareOptions 2 1
STABLEHLO_COMPOSITE StableHLOCompositeOptions 0+ 1+
STABLEHLO_CONCATENATE StablehloConcatenateOptions 1+ 1
STABLEHLO_CONVERT - 1 1
STABLEHLO_CONVOLUTION StablehloConvolutionOptions 2 1
STABLEHLO_COSINE - 1 1
STABLEHLO_CUSTOM_CALL StablehloCustomCallOptions 0+ 0+
STABLEHLO_DIVIDE - 2 1
STABLEHLO_DOT_GENERAL StablehloDotGeneralOptions 2 1
STABLEHLO_DYNAMIC_SLICE StablehloDynamicSliceOptions 1+ 1
STABLEHLO_DYNAMIC_UPDATE_SLICE - 2+ 1
STABLEHLO_EXPONENTIAL - 1 1
STABLEHLO_FLOOR - 1 1
STABLEHLO_GATHER StablehloGatherOptions 2 1
STABLEHLO_IOTA StablehloIotaOptions 0 1
STABLEHLO_LOG - 1 1
STABLEHLO_LOGISTIC - 1 1
STABLEHLO_MAXIMUM - 2 1
STABLEHLO_MINIMUM - 2 1
STABLEHLO_MULTIPLY - 2 1
STABLEHLO_NEGATE - 1 1
STABLEHLO_OR - 2 1
STABLEHLO_PAD StablehloPadOptions 2 1
STABLEHLO_POWER - 2 1
STABLEHLO_REDUCE StablehloReduceOptions 2+ 1+
STABLEHLO_REDUCE_WINDOW StablehloReduceWindowOptions 2 1
STABLEHLO_REMAINDER - 2 1
STABLEHLO_RESHAPE - 1 1
STABLEHLO_RNG_BIT_GENERATOR StablehloRngBitGeneratorOptions 1 2
STABLEHLO_RSQRT - 1 1
STABLEHLO_SCATTER StablehloScatterOptions 3 1
STABLEHLO_SELECT - 3 1
STABLEHLO_SHIFT_LEFT - 2 1
STABLEHLO_SLICE StablehloSliceOptions 1 1
STABLEHLO_SORT StablehloSortOptions 1+ 1+
STABLEHLO_SUBTRACT - 2 1
STABLEHLO_TANH - 1 1
STABLEHLO_TRANSPOSE StablehloTransposeOptions 1 1
STABLEHLO_WHILE StablehloWhileOptions 1+ 1+
"""
