package plan

import "github.com/lowbit-go/lowbit/gen/ir"

// The general registers of kernels that look codes of four bits up: the arguments, and how many elements a group has left.
const (
	LookedUp GPR = iota
	PairsOfCodes
	Tables
	TableGroups
	GroupLen
	LenLeft
)

// PairLooker is a machine with such kernels, of elements of so many bits.
type PairLooker interface {
	Machine
	BeginPairs(bits int)      // prints what is done once
	LoadTable(bits int)       // loads a group's table
	LookUpPairs(bits int) int // looks some elements up, and says how many
}

// GeneratePairs prints such a kernel.
func GeneratePairs(k *ir.Kernel, m PairLooker) {
	beginWhole(k, m)
	for i, a := range Args(k) {
		m.Arg(i, a.Name)
	}
	m.BeginPairs(k.Pairs)
	m.LoopHead("groups")
	m.LoadTable(k.Pairs)
	m.AddImm(Tables, 16*k.Pairs/8)
	m.Move(LenLeft, GroupLen)
	m.LoopHead("pairs")
	n := m.LookUpPairs(k.Pairs)
	m.AddImm(LookedUp, n*k.Pairs/8)
	m.AddImm(PairsOfCodes, n/2)
	m.AddImm(LenLeft, -n)
	m.Branch(LenLeft, NotEqual, 0, "pairs")
	m.AddImm(TableGroups, -1)
	m.Branch(TableGroups, NotEqual, 0, "groups")
	m.Ret()
}
