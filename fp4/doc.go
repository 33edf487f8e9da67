// Package fp4 has E2M1, the 4-bit floating-point type of the OCP MX specification
// 1.0 (torch's float4_e2m1fn), and pairs of it in a byte.
//
// # Format
//
// One sign bit, two exponent bits with bias 1, one mantissa bit, in that order
// from the highest bit down. There are no infinities and no NaN, and all sixteen
// values are these, with either sign:
//
//	code   0  1    2  3    4  5  6  7
//	value  0  0.5  1  1.5  2  3  4  6
//
// Codes 8 to 15 are the negative ones, code 8 is -0. The smallest normal number
// is 1, the only subnormal 0.5, epsilon 0.5. Every value is a value of every
// type of package fp8 that has a sign, but for the -0 of the FNUZ types.
//
// A number between 1 and 6 is off by at most a fifth of itself, and between 0
// and 1 by at most 0.25. Sixteen values cover little, so E2M1 comes in blocks that share a scale: in
// MXFP4 32 numbers and a power of two, fp8.E8M0.
//
// # Conversion
//
// E2M1FromFloat32 and E2M1FromFloat64 round to the nearest value, ties to the
// even code, once, and saturate:
//
//	|x| > 6      +-6, infinity included
//	|x| <= 0.25  zero with the sign of x
//	NaN          +0
//
// There is no conversion without saturation, since no code is left to tell of
// an overflow. For NaNs the specification leaves the choice to the
// implementation; look for them before you convert if they matter. Back, the
// method Float32 is exact.
//
// # Packing
//
// Tensors hold two numbers in a byte, the first in the low nibble: see Pair.
// Package kernels converts slices to pairs (EncodeE2M1Pairs) and to one code per
// byte (EncodeE2M1), and back; its QuantizeFloat divides by scales on the way.
package fp4
