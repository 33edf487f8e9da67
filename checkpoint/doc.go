// Package checkpoint reads the weights of a model whatever files they lie in and whatever they are quantized by, and plans and carries out
// their conversion.
//
// # Reading
//
// Open opens a safetensors file, the index of a sharded checkpoint, a Hugging Face folder or a GGUF file as one set of named tensors. The tensors are
// those of the plain model: a quantized one is one Tensor, whatever its codes and parameters are called and wherever they lie, and ReadRows
// gives its rows as float32, float16 or bfloat16, to the bits that its own library gives:
//
//	method              what it is                                                          value
//	compressed-tensors  int-, naive-, float-, pack-quantized (2 to 8 bits, groups in any    (q - z) * s; nvfp4: q * (s/G)
//	                    order), nvfp4-pack-, mxfp4-pack-, mxfp6-pack-, mxfp8-quantized
//	fp8                 DeepSeek's and transformers' e4m3, scales of blocks that are        q * s
//	                    floating-point numbers or powers of two; experts of e2m1
//	mxfp4               gpt-oss: the experts, transposed                                    q * 2^(s - 127)
//	gptq                versions 1 and 2, of 2, 3, 4 and 8 bits, groups in any order        (q - z) * s
//	awq                 4 bits, gemm                                                        (q - z) * s
//	bitsandbytes        nf4, fp4, nested too; int8                                          table[q] * absmax; q * SCB * (1/127)
//	gguf                every type that package gguf dequantizes                            as package gguf has it
//	lowbit              Lowbit's own, as described below                                    quant.Dequantize
//
// Products and sums are computed in float32, each rounded by itself, from left to right, and the result is rounded once to the type that is
// asked for, half to even. Only what is asked for is read, by position; a shard is never loaded.
//
// A tensor's method that is not among these, a companion that is missing or misshapen, a config.json that does not fit the tensors: each is
// an error of one line that names file, tensor and reason. Those of a single tensor are Tensor.Err, so that the others can be used.
//
// # Converting
//
// A Job says what becomes of each tensor: Dequantization gives the plain model back, Quantization quantizes to Lowbit's own layout,
// CompressedTensors to the one that vLLM and transformers load, and FakeQuantization does a quantizer's forward pass. NewPlan makes a Plan of it, a pure function of the input's headers: the
// header of each output shard, and pieces whose runs cover it exactly. Plan.WriteFile and Plan.WriteFolder carry it out, whole or not at all;
// whoever has workers of his own takes the pieces and calls Plan.Do. Where no piece holds what its groups need, Plan.Facts says what to observe first.
package checkpoint
