// Package plan turns a recorded formula into a function: it decides what is
// computed once per call, per group and per element, in which order, in which
// register, and in which loops. It does so once for all targets; a target is a Machine.
package plan

import (
	"fmt"
	"slices"
	"sort"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// V is a virtual register of a kernel.
type V int

// Class says which register file a virtual register lives in.
type Class uint8

// Register classes.
const (
	Vec Class = iota
	Mask
	classes
)

// Inst is one machine instruction (or a short fixed run of them) over virtual registers.
type Inst struct {
	Defs, Uses []V
	// Apart keeps the results out of the registers of operands that die here;
	// set where results are written before all operands are read.
	Apart bool
	// Tied excepts the first operand from that.
	Tied bool
	// Emit prints it, given physical register numbers.
	Emit func(d, u []int)
}

// Addr is where a stream's tile is: in memory behind a general register, or
// in the stack frame, where a tail has been staged.
type Addr struct {
	Reg   int // general register, unless Stack
	Stack bool
	Disp  int
	Index GPR // of which Scale times more is behind, unless that is 0
	Scale int
}

// GPR names a general register by the machine's own numbering.
type GPR = int

// Cond is a comparison of a general register with a constant.
type Cond uint8

// Conditions, signed.
const (
	Less Cond = iota
	GreaterEqual
	Equal
	NotEqual
)

// Func describes a generated function to its machine.
type Func struct {
	Kernel *ir.Kernel
	Name   string
	Doc    []string
	Args   []Arg
	Frame  int // bytes of stack
}

// Arg is an argument of a generated function.
type Arg struct{ Name, Type string }

// Args lists a kernel's arguments in order: streams (outputs first), parameters, results, words, tables,
// counts, and how to stream.
func Args(k *ir.Kernel) []Arg {
	if k.Block != nil || k.Search != nil {
		return blockArgs(k)
	}
	if k.Random {
		return []Arg{{"words", "*uint32"}, {"keys", "*uint32"}, {"block", "int"}, {"n", "int"}}
	}
	if k.Differs {
		return []Arg{{"sums", "*float64"}, {"errors", "*float64"}, {"a", "*float32"}, {"b", "*float32"}, {"n", "int"}}
	}
	if k.Powers {
		return []Arg{{"y", "*uint16"}, {"q", "*uint8"}, {"scale", "*float32"}, {"times", "float32"}, {"down", "int32"}, {"keep", "int32"}, {"top", "int32"}, {"groups", "*int"}, {"length", "int"}}
	}
	if k.Stream {
		return []Arg{{"dst", "*uint8"}, {"src", "*uint8"}, {"order", "*uint8"}, {"down", "int32"}, {"half", "int"}, {"n", "int"}}
	}
	switch k.Halves {
	case ir.HalvesOfBits, ir.HalvesListed:
		return append(halvesArgs(), Arg{"zero", "*int32"}, Arg{"order", "*uint8"}, Arg{"half", "int"}, Arg{"down", "int32"})
	case ir.HalvesOfSixes:
		return append(halvesArgs(), Arg{"order", "*uint8"}, Arg{"times", "float32"}, Arg{"down", "int32"}, Arg{"keep", "int32"})
	case ir.HalvesOfBytes:
		return append(halvesArgs(), Arg{"factor", "float32"})
	}
	if k.Pairs > 0 {
		elements := fmt.Sprintf("*uint%d", k.Pairs)
		return []Arg{{"y", elements}, {"q", "*uint8"}, {"table", elements}, {"groups", "int"}, {"length", "int"}}
	}
	if k.Transposed > 0 {
		return []Arg{{"dst", "*uint32"}, {"src", "*uint32"}, {"dstStride", "int"}, {"srcStride", "int"}, {"n", "int"}}
	}
	var a []Arg
	for _, s := range Streams(k) {
		a = append(a, Arg{s.Name, "*" + s.Mem.GoType()})
	}
	for _, p := range k.Params {
		a = append(a, Arg{p.Name, "*" + p.Mem.GoType()})
	}
	for _, r := range k.Results {
		a = append(a, Arg{r.Name, "*" + r.Mem.GoType()})
	}
	for _, w := range k.Words {
		a = append(a, Arg{w.Name, w.Mem.GoType()})
	}
	for _, t := range k.Tables {
		a = append(a, Arg{t, "*[256]uint16"})
	}
	switch {
	case stops(k):
		a = append(a, Arg{"groups", "*int"})
	case k.Grouped() && k.Whole:
		a = append(a, Arg{"groups", "int"})
	case k.Grouped() && !k.Sums:
		a = append(a, Arg{"groups", "int"}, Arg{"length", "int"})
	default:
		a = append(a, Arg{"n", "int"})
	}
	switch {
	case k.Columns:
		a = append(a, Arg{"candidates", "int"})
	case k.Sums:
		a = append(a, Arg{"groups", "int"}, Arg{"stride", "int"})
	}
	if k.Large {
		a = append(a, Arg{"ahead", "int"})
	}
	return a
}

// stops reports whether an alarm ends the call.
func stops(k *ir.Kernel) bool {
	return k.Whole && k.Grouped() && slices.ContainsFunc(k.Nodes, func(n *ir.Node) bool { return n.Op == ir.OpAlarmNaN })
}

// Streams lists a kernel's streams, outputs first.
func Streams(k *ir.Kernel) []*ir.Stream {
	s := append([]*ir.Stream(nil), k.Streams...)
	sort.SliceStable(s, func(i, j int) bool { return s[i].Out && !s[j].Out })
	return s
}

type planner struct {
	k       *ir.Kernel
	m       Machine
	class   []Class
	extras  map[int][]*ir.Node
	demoted map[int]bool    // constants and parameters that are loaded anew at each use
	needs   map[bool]*needs // of long groups, and of all others
	streams []*ir.Stream
	ptr     map[string]GPR
	words   map[string]GPR  // words that the loop looks at
	stage   map[string]Addr // as of the frame
	n       GPR             // elements left
	counts  counts

	registers int // of 32-bit numbers in a tile: 4, or 1 of numbers of groups

	rareFails, rareAlone bool // registers ran out in the rare way; so it has all of them, and keeps no constant
	meetFails            bool // registers ran out where groups meet
	meeting                   // which saves some there

	abreast bool     // a loop that looks ahead has registers for a tile's four side by side
	aside   []func() // prints what is out of the loops' way
	maxUsed [classes]int
}

// tileSize is how many elements a tile has.
func (p *planner) tileSize() int { return p.registers * p.m.Width() }

func (p *planner) fail(format string, a ...any) error {
	return fmt.Errorf("plan: %s%s: %s", p.k.Name, p.m.Name(), fmt.Sprintf(format, a...))
}
