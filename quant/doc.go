// Package quant quantizes tensors of float32, float16 and bfloat16 as Apple's coreai-opt 0.4.0 (coreai_opt.quantization.spec, here the
// reference) does, bit for bit: observing ranges, computing scales and zero points, fake-quantizing with straight-through
// gradients, and turning tensors into codes and codes into tensors.
//
// A Spec says how; its JSON is the reference's. New makes a FakeQuantizer of it for one tensor of a model:
//
//	spec := quant.Spec{DType: quant.Int4, Scheme: quant.Asymmetric, Granularity: quant.PerBlock(1, 32)}
//	q, err := quant.New[float32](spec, quant.Weight)
//	w := quant.Tensor[float32]{Data: data, Shape: []int{4096, 4096}}
//	err = q.FakeQuantize(&y, w, &mask)   // observe, quantize, dequantize
//	err = q.Backward(&dx, dy, mask)      // the gradient
//	err = q.Quantize(&codes, w)          // observe, quantize
//	err = quant.Dequantize(&y, codes, 1)
//
// An inference engine that brings its own scales uses NewGiven, or the kernels package directly. For Codes that it has,
// Codes.IntParams and FloatParams are what the kernels take.
//
// # Formulas
//
// For integers, with (quant_offset, float_offset) = (zero_point, 0) in the ZP formulation and (quant_min, minval) in MinVal:
//
//	r = round((x - float_offset) / scale) + quant_offset
//	q = clamp(r, quant_min, quant_max)
//	y = (q - quant_offset) * scale + float_offset
//
// For float8, float6 and float4, r = x / scale, q = cast(clamp(r)), y = q * scale. The mask is quant_min <= r <= quant_max, and the
// straight-through gradient dx = dy * mask. Division is that of IEEE 754, rounding is half to even, each operation is rounded by itself to
// float32, and the result once to the tensor's own type. A NaN stays a NaN, with mask 0; as a code it is 0 in a format without NaN.
//
// # Parameters
//
// The range of a group of elements, min and max, gives its parameters. Each operation is rounded to T, the tensor's element type, or float32
// if FloatRange fixes both ends. With n = quant_max - quant_min and eps = 2^-23:
//
//	symmetric   scale      = max(max(-min(min, 0), max(max, 0)) / (n/2), eps)
//	            zero_point = int((quant_max + quant_min + 1) / 2)
//	            minval     = -max(|min|, |max|)
//	asymmetric  scale      = max((max(max, 0) - min(min, 0)) / n, eps)
//	            zero_point = clamp(quant_min - round(min(min, 0)/scale), quant_min, quant_max), 0 if that is NaN
//	            minval     = min(min, 0)
//	e8m0        scale      = 2^(floor(log2(max(|min|, |max|))) - p), p = 2 (float4_e2m1fn), 8 (float8_e4m3fn), 15 (float8_e5m2), 6 (int8, zero_point 0);
//	                         at least 2^-126; the exponent is the exponent field's, so that a subnormal counts as 2^-127
//
// With scale_dtype float16 or bfloat16 the scale of an integer format is rounded to that before the zero_point follows from it, and so is the
// minval.
//
// Each observed end is first clamped to its side of zero. symmetric_with_clipping is symmetric with a smaller quantized range.
// NaN and Inf, if they are observed, go through this arithmetic into the scale; FakeQuantizer.RequireFinite refuses them instead.
//
// # Dialects
//
// Other libraries give the same formats other bits. Spec.Dialect asks for theirs, bit for bit:
//
//	dialect                  whose bits                        for
//	none                     coreai-opt                        all but float6 and scales of float8_e4m3fn
//	torchao                  torchao                           MX of five element types by four rules, NVFP4 with one level or two
//	modelopt                 Model-Optimizer                   MXFP4, MXFP8, NVFP4
//	compressed_tensors       compressed-tensors on a CPU,      int8, int4, float8_e4m3fn, MXFP4, MXFP6, MXFP8, NVFP4
//	                         and so what vLLM's files hold
//	compressed_tensors_f32   the same on a GPU                 the same
//	transformers             transformers' fp8                 float8_e4m3fn, scales of any value or powers of two
//	torch                    torch's fake_quantize             integers, by parameters of the reference
//
// Package kernels has the formulas in a table. A mask tells which quotients the dialect does not clamp. The scale of NVFP4 for the whole
// tensor, Params.Global, is chosen from its largest magnitude before those of the blocks.
//
// # Groups
//
// Granularity says which elements share parameters: PerTensor, PerChannel, PerBlock, PerBlocks. Parameters are shaped as the number of
// groups along each axis, so that a scale of a [4096, 4096] weight in blocks of 32 along axis 1 has the shape [4096, 128].
// Any axis of a tensor of any rank may be cut, without a copy of the tensor.
//
// # Training
//
// FakeQuantize and Backward are the two passes of a training step; a QATSchedule turns observer and fake-quantization on and off by the number of
// the step. Where scales are learned, LearnStart gives those to begin with, NewGiven makes a quantizer that does not observe, BackwardParams gives the
// gradients of its parameters, and SetParams puts a step's new ones in their place.
//
// # Tensors that do not fit memory
//
// Pieces quantizes, dequantizes and fake-quantizes a tensor that comes from a file piece by piece, with the same bits.
//
// # A user's own
//
// RegisterCalculator, RegisterRangeCalculator and RegisterQuantizeStep make new algorithms known by name, to a Spec and to its JSON. An Algorithm
// is such a name with arguments for the constructor.
//
// # Errors
//
// Every error is an *Error that names the field, its value and what is allowed, and is of one of the kinds ErrSpec, ErrShape, ErrParams, ErrState,
// ErrNotObserved, ErrDisabled, ErrFixed, ErrNonFinite, ErrNil (errors.Is). A call that fails leaves the quantizer as it was. Data never causes a panic.
package quant
