package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// Sizes are those of a matrix's elements.
var Sizes = &ir.Kind{Type: "Size", Doc: "Size is how large an element is that Transpose moves.",
	Choices: []string{"Bits4", "Bits32"}, Names: []string{"4", "32"}}

// transposes are kernels that transpose matrices.
func transposes() []*ir.Kernel {
	words := ir.New("transpose", "Transpose", `sets the rows of dst to the columns of src: as many rows of src as a vector register has words, and
n >= 1 times four columns. Rows lie so many bytes apart.`, Sizes.Of("32"))
	words.Transposed = 32
	nibbles := ir.New("transpose", "Transpose", `transposes squares of eight nibbles of eight words, side by side in a register: nibble k of word j becomes
nibble j of word k. Rows of words lie so many bytes apart. There are n >= 1 times eight rows of src, and those that become of each eight lie as far
apart in dst as two rows in src.`, Sizes.Of("4"))
	nibbles.Transposed = 4
	return []*ir.Kernel{nibbles, words}
}
