package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// Machine is a target: an instruction set, and how it prints.
type Machine interface {
	Registers
	Lowering
	Reduction
	Meeting
	Control
	Streaming
	Staging
	Masking
}

// Registers are what a machine has.
type Registers interface {
	Name() string       // suffix of function names
	Width() int         // float32 per vector register
	Regs(c Class) []int // allocatable registers; routines use the first two between tiles
	GPRs() []GPR        // for counts and pointers, in order of use
	Shares() []int      // how many short groups a tile may hold, of 2 and 4
	Ahead() int         // to begin a tile before the one in front is done it has registers for so many that are carried to a tile's second half
	Layouts() []int     // those of codes that are read which have loops of their own, the first that goes straight on; none where jumps cost little
}

// Lowering makes instructions of nodes.
type Lowering interface {
	// Watched is which of an alarm's arguments the machine looks at.
	Watched(alarm *ir.Node) *ir.Node
	// Extras are hidden constants that lowering n needs, appended to its operands.
	Extras(n *ir.Node) []*ir.Node
	// Lower emits slot of node n; args are its operands' registers. Loads, stores,
	// parameters and results take their place in memory from at.
	Lower(s *Seg, n *ir.Node, slot int, args [][]V, at Addr) V
	OneNaN() bool  // one instruction makes one NaN of all, which is less than to look for one
	Zero(s *Seg) V // a register of +0
	Copy(d, v V) Inst
	Spill(c Class, v V, at Addr) Inst
	Fill(c Class, v V, at Addr) Inst
}

// Reduction makes numbers of groups.
type Reduction interface {
	FoldWays() int // accumulators per fold, at most 4
	// FoldInit, FoldStep and FoldFinish emit a reduction: accumulators, one slot's
	// step (xs are the tile's registers so far) and the number, in lane 0. FoldHalves
	// folds the halves of each lane, two numbers of 16 bits, to the upper one above zeros.
	FoldInit(s *Seg, n *ir.Node) []V
	FoldStep(s *Seg, n *ir.Node, acc []V, slot int, xs []V)
	FoldFinish(s *Seg, n *ir.Node, acc []V) V
	FoldHalves(s *Seg, n *ir.Node, v V) V

	// Where W groups are reduced together FoldPair folds two registers, and TreeJoin two
	// that hold, at level l = 0, 1, ..., parts of 1<<l groups, to one with parts of 2<<l; at
	// the last level a lane is a group. LoadHalves loads the halves of a register, such as two
	// that TreeJoin leaves there at HalfLevel, which is -1 for machines that do not load so.
	// FoldAlarm jumps if a FoldNaN has found one.
	HalfLevel() int
	LoadHalves(s *Seg, lo, hi Addr) V
	FoldPair(s *Seg, n *ir.Node, a, b V) V
	TreeJoin(s *Seg, n *ir.Node, level int, a, b V) V
	FoldAlarm(s *Seg, acc []V, label string)
}

// Meeting is for tiles in which groups meet.
type Meeting interface {
	// LoadWords loads a register of parameters, or of numbers of groups; ChooseFrom takes for each
	// number that parameter, and Choose does so from memory.
	LoadWords(s *Seg, at Addr) V
	ChooseFrom(s *Seg, params, numbers V) V
	Choose(s *Seg, params, numbers Addr) V
	// NumberGroups makes the table of numbers, in the form that the machine chooses by, and the numbers
	// behind it. PointNumbers sets index to those of a tile by what the group at hand has left,
	// NextGroups goes on by a tile, with the parameters' pointers, and GroupLeft tells what the group has left.
	NumberGroups(t Numbers)
	PointNumbers(table Addr)
	NextGroups(t Numbers, params []GPR)
	GroupLeft(table Addr)
	// KeepEnd stores where an array of groups' parameters ends, GroupsLeft tells how many there are from p on.
	KeepEnd(a Addr, p, groups GPR)
	GroupsLeft(d, p GPR, end Addr)
	BranchBelowKept(r GPR, a Addr, l string) // jumps if r is less than what was kept
	BranchAboveKept(r GPR, a Addr, l string) // jumps if it is greater
}

// Mixing is for machines that mix parameters where groups meet, if they do so: the others choose them.
type Mixing interface {
	Mixes() bool
	// Unmixed is before all tiles. ToMix is before those in which groups meet, and Mixed behind them: in between what a group has left is negative.
	// Cross prints the beginning of slots, with the branch that leads to Mix and back, and NextMixed
	// goes on by a tile: with the parameters' pointers, of which slots use copies.
	Unmixed()
	ToMix()
	Mixed()
	Cross(c Crossing)
	Mix(c Crossing)
	NextMixed(params []GPR)
	BranchOver(l string) // jumps if Branch, which led here, compared with zero what is below it
}

// Control prints what is done with general registers.
type Control interface {
	Begin(f *Func)
	Comment(lines ...string)
	GPRName(r GPR) string
	RegName(c Class, r int) string
	Arg(r GPR, name string)
	ArgWord(r GPR, name string) // an int32
	Label(l string)
	LoopHead(l string)  // a label worth aligning
	GroupHead(l string) // the same where groups begin one after the other
	Branch(r GPR, c Cond, imm int, l string)
	BranchMultiple(r GPR, c Cond, power int, l string) // Equal: jumps if r is a multiple of a power of two
	BranchReach(a, b GPR, l string)                    // jumps if a >= b
	BranchBelow(a, b GPR, l string)                    // jumps if a < b
	SubBranch(d, s GPR, l string)                      // d -= s, and jumps unless d is below zero
	Jump(l string)
	Number(d GPR, imm int)
	AtMost(r GPR, imm int) // r = min(r, imm)
	Move(d, s GPR)
	Add(d, s GPR)
	Sub(d, s GPR)
	Mul(d, s GPR)
	AddImm(r GPR, imm int)
	AddBits(r GPR, n GPR, bits int) // r += n*bits/8
	RoundUpward(maybe bool)         // and no longer to nearest, in which all functions are called; maybe: the function may do so already
	RoundNearest(maybe bool)        // again; maybe: it may never have done otherwise
	Ret()
}

// Streaming prints stores that pass the caches by.
type Streaming interface {
	// Streams reports whether the machine has such stores. From Stream(true)
	// to Stream(false) it prints whole registers' stores so. BranchAbove jumps if an argument is
	// greater than a number, Prefetch fetches so many bytes from that far behind p on. Own fetches those
	// from a fixed distance on, into the first cache.
	// BranchOdd jumps if an argument is odd, and Fence keeps such stores before what comes later.
	Streams() bool
	Stream(on bool)
	BranchAbove(arg string, imm int, l string)
	Prefetch(p GPR, bytes int)
	Own(p GPR, from, bytes int)
	BranchOdd(arg, l string)
	Fence()
}

// Staging prints what passes through the frame.
type Staging interface {
	// StageIn copies the elements left, less than a tile, from p to the frame, where the rest of the
	// tile is filled with zeros, or with the first element, and keeps p in front of them; StageOut copies them back to
	// the p that is there. StageOutBy does so with what lies in memory as a word says. The first of the general
	// registers has the number of elements.
	StageIn(a Addr, p GPR, bits int, fill bool)
	StageOut(a Addr, bits int)
	StageOutBy(a Addr, out *ir.Stream)
	// Pass puts elements of an array in the frame, at the place that PassTo has set, keeps p in front of them, and sets p to
	// them and, if they are of 32 bits, the place behind them. What it keeps of those that are repeated is behind them. PassWord has it go by a
	// stream's word. SetGroups says in a register of its own of how many groups a tile is that parameters are spread over.
	PassTo(a Addr)
	PassWord(s *ir.Stream)
	Pass(w Way, p GPR)
	// Divert has results go to the frame. Slack is how many bytes in front of their place the machine may put them there, and what is left
	// of other arrays, so that no register of them crosses cache lines.
	Divert(a Addr, p GPR)
	Slack() int
	SetGroups(groups int)
	// Keep stores a general register in the frame, KeepNumber a number, and Recall loads one;
	// Point sets one to a place in the frame. BranchKept jumps if a number was kept.
	Keep(a Addr, r GPR)
	KeepNumber(a Addr, imm int)
	Recall(r GPR, a Addr)
	Point(r GPR, a Addr)
	BranchKept(a Addr, imm int, l string)
}

// Way is how elements pass to the frame.
type Way string

// Ways, and the names of routines.
const (
	Left     Way = "stageIn32" // elements left, less than a tile, in front of zeros; there are ways for other sizes too
	Spread   Way = "spread"    // parameters of the groups of a tile, each once for each element
	Repeated Way = "repeat"    // the same for n elements; the group at hand has some left, and then index has what the next element's has left, which what is kept points to
)

// Room is how far apart in the frame arrays of 32 bits are that pass one after the other, with their pointers.
func (w Way) Room(m Machine) int {
	width := m.Width()
	if w == Repeated {
		return 8 + 4*(repeated*4*width+width)
	}
	return m.Slack() + 8 + 4*4*width
}

// Passage is a way for one pointer: a routine, which all functions call that need it.
type Passage struct {
	Way     Way
	Pointer GPR
}

// Passages are those that functions call.
type Passages map[Passage]bool

// Sorted lists them.
func (p Passages) Sorted() []Passage {
	return slices.SortedFunc(maps.Keys(p), func(a, b Passage) int {
		return cmp.Or(cmp.Compare(a.Way, b.Way), cmp.Compare(a.Pointer, b.Pointer))
	})
}

// Masking is for machines that load and store parts of registers.
type Masking interface {
	// Masks reports whether the machine does. TailMasks prepares them for the n elements of a Tail, of which masks are
	// stored in the frame. PartMask prepares that of LoadPart for n elements, fewer than a register holds: what is behind
	// them are copies of the first.
	Masks() bool
	TailMasks(n GPR)
	PartMask(n GPR)
	LoadPart(s *Seg, bits int, at Addr) V
}
