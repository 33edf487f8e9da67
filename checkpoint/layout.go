// # Lowbit's own files
//
// A tensor T that Lowbit has quantized is several tensors of a safetensors file. T itself holds the codes:
//
//	codes                            type              shape
//	int8, and narrower unpacked      I8                that of the tensor
//	uint8, and narrower unpacked     U8                that of the tensor
//	int16, uint16                    I16, U16          that of the tensor
//	float8_e4m3fn, float8_e5m2       F8_E4M3, F8_E5M2  that of the tensor
//	float6_e2m3fn, float6_e3m2fn     U8                that of the tensor, a code in the low bits of a byte
//	the same packed                  F6_E2M3, F6_E3M2  that of the tensor, whose last axis is a multiple of 4
//	float4_e2m1fn_x2 unpacked        F8_E4M3           that of the tensor
//	float4_e2m1fn_x2 packed          F4                that of the tensor, whose last axis is even
//	integers of 2, 4, 6 bits packed  U8                the last axis in bytes, each row padded with zeros; [1] for a scalar
//
// Packed codes are a stream of bits of which the first are the lowest of a byte: two codes of 4 bits in a byte, four of 6 bits in three.
// Codes of two bytes are little-endian, as all numbers of the format. Beside T lies what its formula needs, one value per group, shaped as
// the number of groups along each axis of T:
//
//	T.scale         F8_E8M0 if scales are powers of two, F8_E4M3 with the scale_dtype float8_e4m3fn (NVFP4), else the type that they were
//	                rounded to when they were computed: F16 or BF16 if scale_dtype says so, F32 if float_range fixes both ends, else the
//	                tensor's own
//	T.global_scale  F32, of the shape []: the scale of the whole tensor, where the spec's global_scale is true. It is as the dialect
//	                stores it: scales are multiplied by that of torchao and modelopt, and divided by that of compressed_tensors.
//	T.zero_point    the type of unpacked codes; only in the zp formulation of an asymmetric scheme. A symmetric one has the zero point 0 if
//	                codes are signed, the middle code 2^(n-1) of n bits if not.
//	T.minval        the type of the scale; only in the minval formulation
//
// The values are those of quant.Params, exactly: each type holds what is computed.
//
// How each tensor was quantized is JSON under the key "lowbit" of the file's __metadata__:
//
//	{"version": 2,
//	 "specs": [{"dtype": "int4", "granularity": {"type": "per_block", "axis": -1, "block_size": 32}, ...}],
//	 "tensors": {"T": {"spec": 0, "dtype": "BF16", "shape": [4096, 4096], "packed": true}}}
//
// A spec is what quant.ParseSpec takes; spec is its position in specs. dtype and shape are what the tensor had. packed is left out where
// a code has a byte. A tensor of the file that is neither listed nor a companion of one that is, is not quantized.
//
// In version 1 a tensor's spec is an object in the place of its position, scales and minvals are F32 and zero points I32, and integers
// have all three.
package checkpoint
