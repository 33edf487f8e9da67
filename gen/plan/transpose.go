package plan

import (
	"iter"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// The general registers of kernels that transpose: the arguments, and a pointer that passes. Those behind are the machine's.
const (
	ToRow GPR = iota
	FromRow
	ToStride
	FromStride
	Squares
	Passing
	BehindPassing
)

// Transposer is a machine that transposes squares.
type Transposer interface {
	Machine
	BeginSquares(bits int) // prints what is done once, for elements of so many bits
	Square(bits int)       // transposes what registers hold, and goes on to what is behind
}

// GenerateTransposed prints a kernel that transposes.
func GenerateTransposed(k *ir.Kernel, m Transposer) {
	beginWhole(k, m)
	for i, a := range Args(k) {
		m.Arg(i, a.Name)
	}
	m.BeginSquares(k.Transposed)
	m.LoopHead("squares")
	m.Square(k.Transposed)
	m.AddImm(Squares, -1)
	m.Branch(Squares, NotEqual, 0, "squares")
	m.Ret()
}

// Exchange is a step in which eight words become the transpose of their nibbles: the upper bits of one and the
// lower ones of another, which lie Apart, change places, in all groups of two times Bits.
type Exchange struct {
	Bits, Apart int
	Lower       uint32 // a mask of the lower bits
}

// Exchanges are the three steps.
var Exchanges = []Exchange{{16, 4, 0x0000ffff}, {8, 2, 0x00ff00ff}, {4, 1, 0x0f0f0f0f}}

// Pairs are the words that exchange bits: of the first the upper ones, of the second the lower ones.
func (e Exchange) Pairs() iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for i := range 8 {
			if i&e.Apart == 0 && !yield(i, i+e.Apart) {
				return
			}
		}
	}
}
