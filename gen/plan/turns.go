package plan

import (
	"slices"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// Parts of a block may be done in turns that are alike but for where they read and write. Where a machine takes many instructions for a
// turn it has one copy of it, the first one's, in a loop; a pointer for each step then moves as far as the second turn is from the first.

// blockTurns is that loop.
type blockTurns struct {
	first *Seg
	moves []move
	of    map[*ir.BlockNode]int // which move is that of a node that reads or writes
	regs  []GPR                 // the pointers, and how many turns are left
}

// move is that of a pointer, by so many bytes in an array, or in the frame if that has no name.
type move struct {
	array string
	bytes int
}

// findTurns finds how the turns of a block move, if they are to be a loop.
func (b *blocks) findTurns() {
	if b.block.Repeats == 0 || !b.m.BlockTurns() {
		return
	}
	b.turns = &blockTurns{of: map[*ir.BlockNode]int{}, regs: b.m.GPRs()[len(Args(b.k)):]}
	var roots [2][]*ir.BlockNode
	for _, n := range b.roots {
		if n.Turn == 1 || n.Turn == 2 {
			roots[n.Turn-1] = append(roots[n.Turn-1], n)
		}
	}
	for i, n := range roots[0] {
		b.compare(n, roots[1][i])
	}
	b.roots = slices.DeleteFunc(b.roots, func(n *ir.BlockNode) bool { return n.Turn > 1 })
}

// compare notes how far a node of the second turn is from that of the first.
func (b *blocks) compare(n, next *ir.BlockNode) {
	t := b.turns
	n, next = b.chosen(n), b.chosen(next)
	if n == next && (n.Turn == 0 || constant(n)) {
		return
	}
	as := *next
	if n.Op == ir.BlockPick || n.Name != "" && (n.Op != ir.BlockWiden || len(n.Args) == 0) {
		m := move{n.Name, next.Off - n.Off}
		if !slices.Contains(t.moves, m) {
			t.moves = append(t.moves, m)
		}
		t.of[n], as.Off = slices.Index(t.moves, m), n.Off
	}
	if n.Turn != 1 || as.Key() != n.Key() {
		panic("plan: the turns of " + b.k.Name + " differ")
	}
	for i, a := range n.Args {
		b.compare(a, next.Args[i])
	}
}

// from is where a node of a block reads and writes.
func (b *blocks) from(n *ir.BlockNode) Addr {
	a := Addr{Reg: b.at[n.Name], Stack: n.Op == ir.BlockPick || n.Op == ir.BlockStash, Disp: n.Off}
	if b.turns != nil {
		if i, ok := b.turns.of[n]; ok {
			a.Reg, a.Stack = b.turns.regs[i], false
		}
	}
	return a
}

// loop prints the turns.
func (t *blockTurns) loop(b *blocks, places assignment) {
	m, left := b.m, t.regs[len(t.moves)]
	for i, move := range t.moves {
		if move.array == "" {
			m.Point(t.regs[i], Addr{Stack: true})
		} else {
			m.Move(t.regs[i], b.at[move.array])
		}
	}
	m.Number(left, b.block.Repeats)
	m.Label("turn")
	t.first.print(places)
	for i, move := range t.moves {
		m.AddImm(t.regs[i], move.bytes)
	}
	m.CountDown(left, "turn")
}
