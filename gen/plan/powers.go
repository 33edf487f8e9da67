package plan

import "github.com/lowbit-go/lowbit/gen/ir"

// The general registers of kernels that multiply small floats by powers of two: the arguments, how many elements a group has left, and how many groups are.
const (
	PowersOut GPR = iota
	PowersIn
	PowersScale
	PowersGroups
	PowersLen
	PowersLenLeft
	PowersLeft
)

// Multiplier is a machine with such kernels.
type Multiplier interface {
	Machine
	BeginPowers()             // prints what is done once
	LoadPower()               // loads a group's scale
	Multiply(stop string) int // multiplies some elements, and says how many; it jumps if one of them is no number
}

// GeneratePowers prints such a kernel.
func GeneratePowers(k *ir.Kernel, m Multiplier) {
	beginWhole(k, m)
	for i, name := range []string{"y", "q", "scale", "groups", "length"} {
		m.Arg(i, name)
	}
	m.Recall(PowersLeft, Addr{Reg: PowersGroups})
	m.BeginPowers()
	m.LoopHead("groups")
	m.LoadPower()
	m.AddImm(PowersScale, 4)
	m.Move(PowersLenLeft, PowersLen)
	m.LoopHead("codes")
	n := m.Multiply("stop")
	m.AddImm(PowersOut, 2*n)
	m.AddImm(PowersIn, n)
	m.AddImm(PowersLenLeft, -n)
	m.Branch(PowersLenLeft, NotEqual, 0, "codes")
	m.AddImm(PowersLeft, -1)
	m.Branch(PowersLeft, NotEqual, 0, "groups")
	m.Label("stop")
	m.Keep(Addr{Reg: PowersGroups}, PowersLeft)
	m.Ret()
}
