package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// A kernel over interleaved blocks is one loop: its body is straight-line code for a block, and the pointers to blocks
// and to elements advance by constants. There are no tails, and nothing that is not in a block is touched. Constants
// have registers throughout. Blocks that the formula is not right for do not end it: a number that is stored behind
// the loop, the check, is NaN if there were any, and then what was stored means nothing.

// BlockMachine is a machine that has such kernels.
type BlockMachine interface {
	Machine
	// LowerBlock emits a part of a node, of as many as sixteen float32 have registers, or the only one; args are the
	// operands' registers. What is in memory is at: of a listed number, where the table is too.
	LowerBlock(s *Seg, n *ir.BlockNode, part int, args []V, at, table Addr) V
	// ClearCheck has two registers of +0, the check and another one, LowerBlock's last two arguments of a BlockFinite.
	// StoreCheck stores the first's number.
	ClearCheck(s *Seg) (check, zero V)
	StoreCheck(p GPR, check int)
}

// blockArgs are the arguments of such a kernel.
func blockArgs(k *ir.Kernel) []Arg {
	var a []Arg
	for _, s := range Streams(k) {
		a = append(a, Arg{s.Name, "*" + s.Mem.GoType()})
	}
	if k.Block.Listed {
		a = append(a, Arg{"table", "*[256]float32"})
	}
	return append(a, Arg{"check", "*float32"}, Arg{"n", "int"})
}

// blocks plans one of them.
type blocks struct {
	*planner
	m           BlockMachine
	call, body  *Seg
	check, zero V
	uses        map[int]int // of each node
	rare        int         // uses of a constant that has no register
	elements    GPR
	block       GPR
	table       GPR
}

// OnceOf is what f emitted when it was first asked for this part of a node, which several registers share.
func (s *Seg) OnceOf(n *ir.BlockNode, part int, f func() V) V {
	key := [2]int{n.ID, ^part}
	v, ok := s.vals[key]
	if !ok {
		v = f()
		s.vals[key] = v
	}
	return v
}

// GenerateBlock prints a kernel over blocks as one function of the machine.
func GenerateBlock(k *ir.Kernel, m BlockMachine) error {
	b := &blocks{planner: &planner{k: k, m: m}, m: m, uses: map[int]int{}}
	r := m.GPRs()
	b.elements, b.block, b.table = r[0], r[1], r[2]
	n, check := r[3], r[4]
	for _, node := range k.Block.Nodes {
		for _, a := range node.Args {
			b.uses[a.ID]++
		}
	}
	var call, body assignment
	for ok := false; !ok; b.rare++ { // what is used least is loaded where it is used
		if b.rare > len(k.Block.Nodes) {
			return b.fail("registers ran out")
		}
		b.build()
		pins := map[V]int{}
		through := liveOut(b.call, b.body)
		if !slices.Contains(through, b.check) {
			through = append(through, b.check)
		}
		if ok = b.pin(through, pins); !ok {
			continue
		}
		if call, ok = b.scan(b.call, pins); !ok {
			continue
		}
		if body, ok = b.scan(b.body, pins); ok {
			b.verify(b.call, call, pins)
			b.verify(b.body, body, pins)
		}
	}

	f := &Func{Kernel: k, Name: k.Name + m.Name(), Args: Args(k), Frame: 64 * k.Block.Stashes}
	f.Doc = strings.Split(f.Name+" "+k.Doc, "\n")
	m.Begin(f)
	m.Comment(fmt.Sprintf("pointers: %s elements, %s blocks, %s blocks left", m.GPRName(b.elements), m.GPRName(b.block), m.GPRName(n)))
	m.Arg(b.elements, Streams(k)[0].Name)
	m.Arg(b.block, Streams(k)[1].Name)
	if k.Block.Listed {
		m.Arg(b.table, "table")
	}
	m.Arg(n, "n")
	b.call.print(call)
	m.LoopHead("loop")
	b.body.print(body)
	m.AddImm(b.elements, 4*k.Block.Len)
	m.AddImm(b.block, k.Block.Bytes)
	m.AddImm(n, -1)
	m.Branch(n, NotEqual, 0, "loop")
	m.Arg(check, "check")
	m.StoreCheck(check, body[b.check])
	m.Ret()
	return nil
}

// build emits what the roots need.
func (b *blocks) build() {
	b.class = nil
	b.call = &Seg{p: b.planner, vals: map[[2]int]V{}}
	b.body = &Seg{p: b.planner, vals: map[[2]int]V{}, up: b.call}
	b.check, b.zero = b.m.ClearCheck(b.call)
	for _, n := range b.k.Block.Nodes {
		if n.Root() {
			for part := range b.parts(n) {
				b.demand(n, part)
			}
		}
	}
}

// parts is the number of registers that a node's value takes; a root stores as many.
func (b *blocks) parts(n *ir.BlockNode) int {
	switch {
	case n.Type == ir.BlockFloats, n.Op == ir.BlockStore, n.Op == ir.BlockStash:
		return 16 / b.m.Width()
	}
	return 1
}

// demand returns the register of a part of a node, emitting what is not there yet.
func (b *blocks) demand(n *ir.BlockNode, part int) V {
	part = min(part, b.parts(n)-1)
	s, key := b.body, [2]int{n.ID, part}
	anew := false
	if n.Op == ir.BlockConst {
		if anew = b.uses[n.ID] <= b.rare; !anew {
			s = b.call
		}
	}
	if v, ok := s.vals[key]; ok && !anew {
		return v
	}
	var args []V
	for _, a := range n.Args {
		if a.Op == ir.BlockStash { // in memory, all of it
			for i := range b.parts(a) {
				b.demand(a, i)
			}
			continue
		}
		args = append(args, b.demand(a, part))
	}
	if n.Op == ir.BlockFinite {
		args = append(args, b.check, b.zero)
	}
	at := Addr{Reg: b.block, Disp: n.Off}
	switch n.Op {
	case ir.BlockStore:
		at = Addr{Reg: b.elements, Disp: n.Off + 4*b.m.Width()*part}
	case ir.BlockStash:
		at = Addr{Stack: true, Disp: n.Off + 4*b.m.Width()*part}
	case ir.BlockPick:
		at.Stack = true
	}
	v := b.m.LowerBlock(s, n, part, args, at, Addr{Reg: b.table})
	s.vals[key] = v
	return v
}
