package plan

import "github.com/lowbit-go/lowbit/gen/ir"

// The general registers of kernels that make 16 bits of codes in one pass: the arguments, how many elements a group has left, and those that not all have.
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
	OnePass(k *ir.Kernel, upper bool)     // does a tile, to bfloat16 if that is asked for
}

// GenerateOnePass prints such a kernel: a loop for each element type.
func GenerateOnePass(k *ir.Kernel, m OnePasser) {
	beginWhole(k, m)
	for i, name := range []string{"y", "q", "scale", "bfloat16", "groups", "length"} {
		m.Arg(i, name)
	}
	bytes := HalvesTile
	switch k.Halves {
	case ir.HalvesOfBits:
		m.Arg(HalvesZero, "zero")
		m.Arg(HalvesBytes, "half")
		m.Arg(HalvesOrder, "order")
	case ir.HalvesOfSixes:
		m.Arg(HalvesOrder, "order")
		bytes = HalvesTile * 6 / 8
	}
	m.BeginOnePass(k)
	m.Branch(HalvesKind, NotEqual, 0, "upper")
	for _, upper := range []bool{false, true} {
		name := "lower"
		if upper {
			name = "upper"
		}
		m.LoopHead(name)
		m.LoadOnePass(k, upper)
		m.AddImm(HalvesScale, 4)
		m.Move(HalvesLeft, HalvesLen)
		m.LoopHead(name + "codes")
		m.OnePass(k, upper)
		m.AddImm(HalvesOut, 2*HalvesTile)
		if k.Halves == ir.HalvesOfBits {
			m.Add(HalvesIn, HalvesBytes)
		} else {
			m.AddImm(HalvesIn, bytes)
		}
		m.AddImm(HalvesLeft, -HalvesTile)
		m.Branch(HalvesLeft, NotEqual, 0, name+"codes")
		m.AddImm(HalvesGroups, -1)
		m.Branch(HalvesGroups, NotEqual, 0, name)
		m.Ret()
	}
}
