package plan

import "github.com/lowbit-go/lowbit/gen/ir"

// The general registers of kernels that make 16 bits of codes in one pass: the arguments, of which that of elements goes from end of group to end of group,
// how many elements before it they are, less than zero, and arguments that not all have.
const (
	HalvesOut GPR = iota
	HalvesIn
	HalvesScale
	HalvesKind
	HalvesGroups
	HalvesLen
	HalvesLeft
	HalvesOrder
	HalvesZero
	HalvesBytes
)

// HalvesTile is how many codes they take at a time.
const HalvesTile = 16

func halvesArgs() []Arg {
	return []Arg{{"y", "*uint16"}, {"q", "*uint8"}, {"scale", "*float32"}, {"bfloat16", "int"}, {"groups", "int"}, {"length", "int"}}
}

// OnePasser is a machine with such kernels.
type OnePasser interface {
	Machine
	BeginOnePass(k *ir.Kernel)            // prints what is done once
	LoadOnePass(k *ir.Kernel, upper bool) // loads what a group has
	OnePass(k *ir.Kernel, upper bool) int // does a tile, to bfloat16 if that is asked for, and says how many codes that has
}

// GenerateOnePass prints such a kernel: a loop for each element type.
func GenerateOnePass(k *ir.Kernel, m OnePasser) {
	beginWhole(k, m)
	for i, name := range []string{"y", "q", "scale", "bfloat16", "groups", "length"} {
		m.Arg(i, name)
	}
	switch k.Halves {
	case ir.HalvesOfBits, ir.HalvesListed:
		m.Arg(HalvesZero, "zero")
		m.Arg(HalvesBytes, "half")
		m.Arg(HalvesOrder, "order")
	case ir.HalvesOfSixes:
		m.Arg(HalvesOrder, "order")
	}
	m.BeginOnePass(k)
	if k.Halves == ir.HalvesListed { // what tells the types apart is the table
		onePassOver(k, m, "groups", false)
		return
	}
	m.Branch(HalvesKind, NotEqual, 0, "upper")
	for _, upper := range []bool{false, true} {
		name := "lower"
		if upper {
			name = "upper"
		}
		onePassOver(k, m, name, upper)
	}
}

// onePassOver prints the loops.
func onePassOver(k *ir.Kernel, m OnePasser, name string, upper bool) {
	m.LoopHead(name)
	m.LoadOnePass(k, upper)
	m.AddImm(HalvesScale, 4)
	for range 2 {
		m.Add(HalvesOut, HalvesLen)
	}
	m.Number(HalvesLeft, 0)
	m.Sub(HalvesLeft, HalvesLen)
	m.LoopHead(name + "codes")
	n := m.OnePass(k, upper)
	switch k.Halves {
	case ir.HalvesOfSixes:
		m.AddImm(HalvesIn, n*6/8)
	case ir.HalvesOfBytes:
		m.AddImm(HalvesIn, n)
	default:
		for range n / HalvesTile {
			m.Add(HalvesIn, HalvesBytes)
		}
	}
	m.AddImm(HalvesLeft, n)
	m.Branch(HalvesLeft, NotEqual, 0, name+"codes")
	m.AddImm(HalvesGroups, -1)
	m.Branch(HalvesGroups, NotEqual, 0, name)
	m.Ret()
}
