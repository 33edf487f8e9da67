package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// Halves records kernels that make 16 bits of codes in one pass, of which AVX-512 has no need, as it rounds by few instructions.
func Halves() []*ir.Kernel {
	record := func(name string, codes ir.Halves, doc string) *ir.Kernel {
		k := ir.New("onepass", name, doc)
		k.Halves, k.UpTo256 = codes, true
		return k
	}
	const order = `
In order are, for sixteen codes, where in their bytes the two of each are, and a number of 16 bits each, which brings it to the top of these by a product:
for bfloat16 those `
	const groups = `
There are groups >= 1, each of length >= 16 codes, a multiple of 16. Elements are bfloat16 if that is not 0.`
	return []*ir.Kernel{
		record("DequantizeBits", ir.HalvesOfBits, `sets y to (q - zero)*scale of codes of at most seven bits, a little-endian bit stream. A scale has at most 16 significant
bits, and is from 2^-126 to 2^103.`+order+`in order, for float16 the first eight at the even places and the others at the odd ones. It goes down from there by so many
bits. Half is how many bytes sixteen codes have. Behind the last code 16 bytes may be read, less those.`+groups),
		record("DequantizeListed", ir.HalvesListed, `is DequantizeBits of codes of at most three bits and groups whose length is a multiple of 32, with order for bfloat16 in any case.`),
		record("DequantizeSixes16", ir.HalvesOfSixes, `sets y to q*(scale*times) of floats of six bits, all products finite, and for bfloat16 such or zeros. The format is
given by two words, as DequantizeSixes has them, and times has for a factor what is missing then.`+order+`at the even places first, for float16 those in order.
Behind the last code four bytes are read.`+groups),
		record("DequantizeTwice", ir.HalvesOfBytes, `sets y to (q*scale)*factor of codes of eight bits with a sign; for bfloat16 all but zeros are from 2^-126 to 2^111.`+groups),
	}
}
