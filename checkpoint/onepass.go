package checkpoint

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/codeformat"
	"github.com/lowbit-go/lowbit/internal/isa"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// Kernels make 16 bits of codes in one pass where products need no care: they are normal numbers, and none is zero but those of zeros.

// onePassTile is a multiple of how many codes they take at a time.
const onePassTile = 16

// onePass tells whether there are such kernels for T, and which of its kinds it is.
func onePass[T kernels.Float]() (elem int, ok bool) {
	if dtypeOf[T]() == safetensors.BF16 {
		elem = 1
	}
	return elem, unsafe.Sizeof(*new(T)) == 2 && isa.Current() == asm.AVX2
}

// scalesWithin tells whether all scales are from one number to another.
func scalesWithin(scale []float32, low, high float32) bool {
	var least, most float32 // NaN if a NaN is among them
	asm.MinMax[float32](isa.Current(), asm.F32, unsafe.Pointer(&scale[0]), unsafe.Pointer(&least), unsafe.Pointer(&most), 1, len(scale))
	return least >= low && most <= high
}

// bitOrders are where codes of so many bits go that become float16, and bfloat16.
var bitOrders = func() (orders [8][2][64]uint8) {
	for bits := 1; bits < len(orders); bits++ {
		orders[bits] = [2][64]uint8{
			codeformat.Order(bits, func(place int) int { return place/2 + place%2*8 }),
			codeformat.Order(bits, func(place int) int { return place }),
		}
	}
	return orders
}()

// dequantizeBits dequantizes a bit stream of whole groups, behind whose last code 16 bytes may be read, if there is a kernel for it. A scale of 16 bits makes
// products exact.
func dequantizeBits[T kernels.Float](l *grouped, dst []T, codes []uint8, g kernels.Grid, p params) bool {
	elem, ok := onePass[T]()
	if _, other := streamFormat(l.bits); !ok || other || g.Len%onePassTile != 0 || l.scale.DType.Bits() != 16 || l.scale.factor != asStored || !scalesWithin(p.scale, 0x1p-126, 0x1p103) {
		return false
	}
	n, half, down := g.Groups*g.Len, 2*l.bits, int32(16-l.bits)
	for ; len(dst) > 0; dst, codes = dst[n:], codes[n*l.bits/8:] {
		y, orders := (*uint16)(unsafe.Pointer(&dst[0])), &bitOrders[l.bits]
		if l.bits <= 3 && g.Len%(2*onePassTile) == 0 {
			asm.DequantizeListed(asm.AVX2, y, &codes[0], &p.scale[0], elem, g.Groups, g.Len, &p.zero[0], &orders[1][0], half, down)
		} else {
			asm.DequantizeBits(asm.AVX2, y, &codes[0], &p.scale[0], elem, g.Groups, g.Len, &p.zero[0], &orders[elem][0], half, down)
		}
	}
	return true
}

// dequantizeTwice is for codes of rows of so many columns, a scale each, and a number by which products are multiplied again, at least 1/128 and below 1.
func dequantizeTwice[T kernels.Float](dst []T, codes []int8, scale []float32, cols int, factor float32) bool {
	elem, ok := onePass[T]()
	if !ok || cols%onePassTile != 0 || !scalesWithin(scale, 0x1p-119, 0x1p103) {
		return false
	}
	asm.DequantizeTwice(asm.AVX2, (*uint16)(unsafe.Pointer(&dst[0])), (*uint8)(unsafe.Pointer(&codes[0])), &scale[0], elem, len(scale), cols, factor)
	return true
}
