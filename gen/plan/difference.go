package plan

import "github.com/lowbit-go/lowbit/gen/ir"

// The general registers of kernels that tell how two slices differ: the arguments.
const (
	Differences GPR = iota
	Errors
	LeftSide
	RightSide
	Fours
)

// Differer is a machine that tells how two slices of float32 differ. Sums are pairs of float64, which four elements are added to two by two.
type Differer interface {
	Machine
	BeginDifference() // loads the sums
	Differ()          // takes four elements in
	EndDifference()   // stores the sums
}

// GenerateDifference prints such a kernel.
func GenerateDifference(k *ir.Kernel, m Differer) {
	beginWhole(k, m)
	for i, a := range Args(k) {
		m.Arg(i, a.Name)
	}
	m.BeginDifference()
	m.LoopHead("fours")
	m.Differ()
	for _, p := range []struct{ reg, bytes int }{{Errors, 32}, {LeftSide, 16}, {RightSide, 16}, {Fours, -1}} {
		m.AddImm(p.reg, p.bytes)
	}
	m.Branch(Fours, NotEqual, 0, "fours")
	m.EndDifference()
	m.Ret()
}
