// Package gguf reads and writes GGUF files, the format of llama.cpp, and quantizes and dequantizes the blocks in them: with the same bytes that
// llama.cpp's own quantizer writes.
//
// "The same bytes" are those of a release build of ggml for x86-64, where no product is fused with a sum. Builds that fuse, as compilers
// for arm64 do by themselves, write other bytes in some blocks of the K and IQ4 types and of Q4_0 and Q5_0; here every machine writes the same.
//
// # Files
//
// A file is a header, metadata, the infos of the tensors, and their data:
//
//	header    "GGUF", version uint32, number of tensors int64, number of pairs int64
//	metadata  pairs of key and value, KV: numbers, bools, strings, and arrays of one of them
//	infos     name, axes, type, offset
//	data      from the next multiple of the alignment on, each tensor padded with zeros to it
//
// Versions 2 and 3 are read, 3 is written, all little-endian. The alignment is the metadata's general.alignment, or 32. Tensors lie one behind
// the other in the order of the infos; a file in which they do not, or which is shorter or longer than they are, is refused.
//
// Open reads all but the data, which is read by position: ReadTensor gives blocks as they are, Row and Rows their values. Create begins a
// file that appears whole or not at all. Both know shapes as row-major, outermost axis first; the file has the reverse.
//
// # Blocks
//
// A block holds elements that are adjacent in a row: of the simple types 32 (NVFP4 64), of the K types and IQ4_XS 256. The values, with float16
// scales d, dmin and m and codes q:
//
//	F32 F16 BF16    the element
//	Q8_0            q*d                            q of 8 bits, signed
//	Q4_0 Q5_0       (q-8)*d, (q-16)*d
//	Q4_1 Q5_1       q*d + m
//	MXFP4           K[q]*2^(e-128)                 K twice the values of e2m1, e a byte
//	NVFP4           K[q]*u/2                       u an e4m3 without a sign for each 16
//	IQ4_NL          V[q]*d                         V a table of 16 values, finer about zero
//	IQ4_XS          V[q]*(d*(s-32))                s of 6 bits for each 32
//	Q2_K            q*(d*s) - dmin*t               q of 2 bits, s and t of 4 bits for each 16
//	Q3_K            (q-4)*(d*(s-32))               q of 3 bits, s of 6 bits for each 16
//	Q4_K Q5_K       q*(d*s) - dmin*t               s and t of 6 bits for each 32
//	Q6_K            (q-32)*(d*s)                   s of 8 bits, signed, for each 16
//
// Each is one float32, since the products are exact but for d*s, which is rounded first. A code of MXFP4 that is e2m1's -0 is +0.
//
// Quantize computes in float32, each operation rounded by itself, half to even. Of elements x of a block, with max the first of those of
// largest magnitude and T cutting toward zero:
//
//	Q8_0            d = |max|/127                  q = round(x/d), half away from zero
//	Q4_0 Q5_0       d = max/-8, max/-16            q = min(T(x/d + 8.5), 15), min(T(x/d + 16.5), 31)
//	Q4_1 Q5_1       d = (most-least)/15, /31       q = min(T((x-least)/d + 0.5), 15), T(...), m = least
//	MXFP4           e = floor(log2 |max|) + 125    q the code whose value is nearest, of two the one nearer to zero
//	NVFP4           u = |max|/6 to e4m3            q as MXFP4
//
// Division by d is a product with 1/d, which is computed from d before it is rounded to float16. The logarithm is rounded to float32 before its
// floor is taken, so that numbers a few units below a power of two count as that power. All other types search: the K types for scales (and
// least values) of each group by weighed least squares, over some twenty numbers of levels, and then for the steps d and dmin in which the
// group's are expressed; the codes are those nearest with what came out of the rounding. An importance matrix gives each column of a tensor a
// weight in the sums.
//
// # Numbers out of range
//
// What C leaves undefined is what x86 does: a float that does not fit an int32, or a NaN, is converted to the least int32, of which the low
// bits count. That decides the codes of blocks whose 1/d overflows and of those with NaN and infinities. Such blocks do no harm to others,
// and none makes Quantize panic; a scale that is NaN is 0x7e00. Searches give a block with a NaN or an infinity codes of no meaning. A
// tool should refuse such tensors, as llama.cpp does.
package gguf
