package plan

import "github.com/lowbit-go/lowbit/gen/ir"

// The general registers of kernels that give each code of a bit stream a byte: the arguments.
const (
	BitsTo GPR = iota
	BitsFrom
	BitsOrder
	BitsHalf
	BitsTiles
)

// Unpacker is a machine with such kernels.
type Unpacker interface {
	Machine
	BeginBits()  // prints what is done once
	UnpackBits() // unpacks 32 codes
}

// GenerateBits prints such a kernel.
func GenerateBits(k *ir.Kernel, m Unpacker) {
	beginWhole(k, m)
	for i, name := range []string{"dst", "src", "order", "half", "n"} {
		m.Arg(i, name)
	}
	m.BeginBits()
	m.LoopHead("tiles")
	m.UnpackBits()
	m.AddImm(BitsTo, 32)
	m.Add(BitsFrom, BitsHalf)
	m.Add(BitsFrom, BitsHalf)
	m.AddImm(BitsTiles, -1)
	m.Branch(BitsTiles, NotEqual, 0, "tiles")
	m.Ret()
}
