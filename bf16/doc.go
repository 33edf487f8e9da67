// Package bf16 has bfloat16, the 16-bit floating-point type of machine learning:
// the upper half of a float32. It has float32's range with 8 significant bits in
// place of 24.
//
// # Format
//
//	sign bits        1
//	exponent bits    8, bias 127
//	mantissa bits    7
//	largest          3.3895314e+38
//	normal from      2^-126
//	least above 0    2^-133
//	epsilon          2^-7: two to three decimal digits
//	infinities, NaN  as in IEEE 754
//
// # Conversion
//
// FromFloat32 and FromFloat64 round to the nearest value, ties to even,
// subnormals included, as IEEE 754-2019 has it for any binary format (sections
// 4.3.1 and 7.4). FromFloat64 rounds once; to go by way of float32 rounds twice
// and is wrong for some.
//
//	|x| >= 0x1.FFp127  +-Inf
//	+-Inf              +-Inf
//	NaN                NaN, quiet, with its sign and the top of its payload
//
// Some programs truncate instead, which is off by up to a whole unit in the last
// place and biased towards zero, and some instructions (x86's VCVTNEPS2BF16)
// flush subnormals to zero. This package does neither. There is no saturating
// conversion: the range is float32's own but for the last 0.2 percent.
//
// Back, the method Float32 is exact, for NaNs too. There is no arithmetic:
// compute in float32 and round the result. Package kernels converts slices.
//
// Against float16 (package github.com/x448/float16), which has 11 significant
// bits but ends at 65504 and loses precision below 2^-14, bfloat16 is the one
// that takes whatever a float32 program computes without a scale.
package bf16
