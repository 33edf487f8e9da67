// Package formula holds each kernel's formula, once for all implementations.
package formula

import (
	"github.com/lowbit-go/lowbit/gen/ir"
)

// All records every kernel anew: a target adds constants of its own to a recording.
func All() []*ir.Kernel {
	var ks []*ir.Kernel
	for _, t := range elements {
		ks = append(ks, fakeQuantize(t)...)
		ks = append(ks, quantize(t)...)
		ks = append(ks, dequantize(t, "", anyCodes)...)
		ks = append(ks, fakeQuantizeFp(t))
		ks = append(ks, quantizeFp(t)...)
		ks = append(ks, dequantizeFp(t, []format{e4m3, e5m2, e2m1}, false)...)
	}
	for _, t := range tensors {
		ks = append(ks, t.quantizeWhole())
		ks = append(ks, backward(t)...)
	}
	ks = append(ks, quantizeE2M1()...)
	ks = append(ks, quotients()...)
	ks = append(ks, convert()...)
	ks = append(ks, pack()...)
	for _, k := range ks {
		k.Large = !k.Whole
	}
	for _, t := range elements {
		ks = append(ks, minmax(t)...)
	}
	ks = append(ks, numbersOfGroups(params()...)...)
	ks = append(ks, dequantizeBlocks()...)
	ks = append(ks, writeBlocks()...)
	ks = append(ks, errors()...)
	ks = append(ks, learn())
	ks = append(ks, searches()...)
	ks = append(ks, numbersOfGroups(powersOfTwo()...)...)
	ks = append(ks, stochastic()...)
	ks = append(ks, shorts()...)
	ks = append(ks, transposes()...)
	ks = append(ks, lookUpPairs()...)
	return append(append(ks, numbersOfGroups(magnitudes(), value(), prepare())...), difference())
}

// numbersOfGroups are kernels whose elements are such.
func numbersOfGroups(ks ...*ir.Kernel) []*ir.Kernel {
	for _, k := range ks {
		k.OfGroups = true
	}
	return ks
}

// Listed records anew the kernels that gain if a machine can look the values of
// codes up, for one that can.
func Listed() []*ir.Kernel {
	ks := append(decodeFp(true), dequantize(tensors[0], "Nibbles", nibbles)...)
	for _, t := range elements {
		formats := []format{e4m3}
		if t.mem == ir.MemF32 {
			formats = append(formats, e2m1)
		}
		ks = append(ks, dequantizeFp(t, formats, true)...)
	}
	ks = append(ks, lookUp16())
	for _, k := range ks {
		k.Large = true
	}
	return ks
}

// Kinds of variants.
var (
	codeNames   = []string{"Packed4", "Packed2", "Float8", "Float8FNUZ", "E4M3", "E5M2", "E2M1", "E2M1Packed", "E4M3FNUZ", "E5M2FNUZ", "E8M0"}
	layoutNames = []string{"Nibbles", "Crumbs", "SignedBytes", "UnsignedBytes", "ListedBytes"}

	Codes = &ir.Kind{Type: "Code", Doc: "Code is what a kernel reads or writes where no word says it. Packed4 and Packed2 are integers of four and of two bits, the first in the lowest bits of a byte.",
		Choices: codeNames, Names: codeNames}
	Masks = &ir.Kind{Type: "Mask", Doc: "Mask is how a kernel says what was clipped; the word kind of a kernel that has any is one of these.",
		Choices: []string{"NoMask", "ByteMask", "BitMask"}, Names: []string{"", "Bytes", "Bits"}}
	Elems = &ir.Kind{Type: "Elem", Doc: "Elem is a tensor's element type.",
		Choices: []string{"F32", "F16", "BF16"}, Names: []string{"", "F16", "BF16"}}
	// Narrow is Elems where those of 16 bits share a kernel: the word ir.ElemWord of it is the choice.
	Narrow = &ir.Kind{Type: Elems.Type, Choices: Elems.Choices, Names: []string{"", "F16BF16", "F16BF16"}}
	// AnyElem is Elems where all share a kernel.
	AnyElem = &ir.Kind{Type: Elems.Type, Choices: Elems.Choices, Names: []string{"", "", ""}}
	Layouts = &ir.Kind{Type: "Layout", Doc: "Layout is how codes lie in memory: a byte each, or four or two bits, the first in the lowest bits of a byte, or\n// the E4M3 code of an E2M1 one. The word layout of a kernel that reads or writes such is one of these.",
		Choices: layoutNames, Names: layoutNames}
	Kinds = []*ir.Kind{Codes, Layouts, Masks, Elems, BlockTypes, Terms, WeightKinds, TurnedKinds, RangedNumbers, SignedNumbers, Sizes}
)

// tensor is a tensor's element type, with the suffix that it gives a kernel.
type tensor struct {
	name string
	mem  ir.Mem
	bits ir.Mem // as integers
}

var (
	tensors = []tensor{{"", ir.MemF32, ir.MemI32}, {"F16", ir.MemF16, ir.MemI16}, {"BF16", ir.MemBF16, ir.MemI16}}

	// elements are those of kernels that have float16 and bfloat16 in one.
	elements = []tensor{tensors[0], {"F16BF16", ir.MemNarrow, ir.MemI16}}
)

// elem is the variant.
func (t tensor) elem() ir.Variant {
	if t.mem == ir.MemNarrow {
		return Narrow.Of(t.name)
	}
	return Elems.Of(t.name)
}

// finite is the largest finite number of 16 bits.
func (t tensor) finite() uint16 {
	if t.mem == ir.MemBF16 {
		return 0x7f7f
	}
	return 0x7bff
}

// quotient is c/s rounded once, in three operations (Markstein): r is 1/s
// rounded. It is exact where nothing overflows and no remainder underflows; for
// infinite c, or if c*r overflows, it is NaN, as it is for r = NaN.
func quotient(c, s, r *ir.Node) *ir.Node {
	q := c.Mul(r)
	return q.MulSubFrom(s, c).MulAdd(r, q)
}

// signedQuotient is quotient, but that of -0 is -0: the remainder with the
// other sign leaves it so.
func signedQuotient(c, s, r *ir.Node) *ir.Node {
	q := c.Mul(r)
	return q.MulSub(s, c).MulSubFrom(r, q)
}

// quotient is three, x/s in three operations, or what rounds as that does to ten
// bits and less, in two: of a number x of 16 bits the quotient is never so close
// to the middle of a number of so many bits and of a float32 beside it that an r
// of twice the bits, below and rest, would not do, and the sum of two products
// with one rounding. TestShortDivision lists the closest; there rest must not be
// too small. As it is not negative, the quotient of -0 is -0. For infinite x it
// is infinite.
func (t tensor) quotient(x, s, r, three *ir.Node) *ir.Node {
	if t.mem == ir.MemF32 {
		return three
	}
	k := ir.Of(x)
	below := r.As(ir.I32).ISub(k.Int(1)).As(ir.F32)
	rest := below.MulSubFrom(s, k.Const(1))
	rest = rest.MulAdd(k.Const(0x1p-22), rest).Mul(below)
	return x.MulAdd(below, x.Mul(rest)).Else(three)
}

// toldByMask says for a kernel's declaration what its mask tells.
func toldByMask(what string) string {
	return ",\nand mask, of the kind that a word says, to whether " + what
}

// storeMask stores the mask of a fake-quantization.
func storeMask(k *ir.Kernel, m *ir.Node) { k.StoreMask("mask", k.Word("kind", ir.MemI32), m) }
