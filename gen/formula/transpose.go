package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// Sizes are those of a matrix's elements.
var Sizes = &ir.Kind{Type: "Size", Doc: "Size is how large an element is that is moved.",
	Choices: []string{"Bits4", "Bits16", "Bits32"}, Names: []string{"4", "16", "32"}}

// transposes are kernels that transpose matrices.
func transposes() []*ir.Kernel {
	elements := func(bits string) *ir.Kernel {
		return ir.New("transpose", "Transpose", `sets the rows of dst to the columns of src: as many rows of src as a vector register has elements, and
n >= 1 times as many columns as 128 bits have. Rows lie so many bytes apart.`, Sizes.Of(bits))
	}
	halves, words := elements("16"), elements("32")
	halves.Transposed, words.Transposed = 16, 32
	nibbles := ir.New("transpose", "Transpose", `transposes squares of eight nibbles of eight words, side by side in a register: nibble k of word j becomes
nibble j of word k. Rows of words lie so many bytes apart. There are n >= 1 times eight rows of src, and those that become of each eight lie as far
apart in dst as two rows in src.`, Sizes.Of("4"))
	nibbles.Transposed = 4
	return []*ir.Kernel{nibbles, halves, words, dequantizeAcross()}
}

// dequantizeAcross is for rows side by side, each with parameters of its own, a word of whose codes is in each lane.
func dequantizeAcross() *ir.Kernel {
	k := ir.New("transpose", "DequantizeAcross", `sets y = ((words>>by & mask) - zeroPoint)*scale.`)
	q := k.Load("words", ir.MemI32).ShrBy(k.Word("by", ir.MemI32)).And(k.Word("mask", ir.MemI32))
	k.Store("y", ir.MemF32, q.ISub(k.Load("zeroPoint", ir.MemI32)).ToFloat().Mul(k.Load("scale", ir.MemF32)).OneNaN())
	k.Whole = true
	return k
}
