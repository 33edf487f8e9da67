package plan

import (
	"fmt"
	"maps"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// W groups are reduced together: each to a register, and those pairwise to one
// that has a group in each lane. A group's last register is loaded first, and a
// loop takes in those before it, some at a time: the first of them may be in it
// twice, which makes no difference to an end. The few groups that are left, and
// all from a NaN on, go the general way.

// tree is a kind of such a reduction.
type tree struct {
	name      string
	registers int  // that a turn of the loop takes in
	turns     bool // there is a loop; if not, a group is one register
	any       bool // the loop is for all lengths that the others leave
	part      bool // a group is less than a register
}

// treeKinds are those of the machine, in the order in which they are preferred.
func (p *planner) treeKinds() []*tree {
	kinds := []*tree{{name: "tree", registers: 1}}
	trees := p.m.Trees(p.streams[0].Mem)
	for i, registers := range trees {
		kinds = append(kinds, &tree{name: fmt.Sprintf("tree%d", registers), registers: registers, turns: true, any: i == len(trees)-1})
	}
	if !p.m.Staged(p.streams[0].Mem) {
		kinds = append(kinds, &tree{name: "treepart", registers: 1, part: true})
	}
	return kinds
}

// manyTurns are so many that it does not matter if the last is half in vain.
const manyTurns = 16

// chooseTree goes where groups of this length are reduced.
func (p *printer) chooseTree() {
	m, length, w := p.m, p.counts.length, p.m.Width()
	for _, sh := range p.pr.trees {
		t := sh.tree
		switch {
		case t.part:
			m.Branch(length, Less, w, sh.name)
		case !t.turns:
			m.Branch(length, Equal, w, sh.name)
		case t.any:
			m.Branch(length, GreaterEqual, t.registers*w, sh.name)
		default:
			m.BranchMultiple(length, t.registers*w, sh.name)
			m.Branch(length, GreaterEqual, manyTurns*t.registers*w, sh.name)
		}
	}
}

// tree makes the code that reduces W groups.
func (p *planner) tree(pr *program, t *tree) *shape {
	sh := &shape{name: t.name, tree: t, group: p.seg(pr.call, false, 1)}
	s := p.seg(pr.call, false, 1)
	s.Tail, s.Fill = t.part, t.part
	var folds, nans []*ir.Node
	accs := map[*ir.Node][]V{}
	for _, n := range p.k.Nodes {
		switch {
		case n.Op == ir.OpFoldNaN:
			nans = append(nans, n)
			accs[n] = p.m.FoldInit(s, n)
		case n.Op.Fold():
			folds = append(folds, n)
		}
	}
	// turn folds some registers to one, for each fold.
	turn := func(at GPR) []V {
		out := make([]V, len(folds))
		var xs []V
		s.forget() // the place is another one each time
		for r := range t.registers {
			xs = append(xs, s.element(folds[0].Args[0], at, r))
			for i, n := range folds {
				if r == 0 {
					out[i] = xs[0]
				} else {
					out[i] = p.m.FoldPair(s, n, out[i], xs[r])
				}
			}
			if r%2 == 1 {
				p.seek(s, nans, accs, xs[r-1], xs[r])
			}
		}
		if len(xs)%2 == 1 {
			p.seek(s, nans, accs, xs[0], xs[0])
		}
		return out
	}
	stream := p.streams[0]
	elem := stream.Mem.Bits() / 8
	register, start := p.m.Width()*elem, p.ptr[stream.Name]
	at, end, last := p.counts.at, p.n, p.counts.last
	do := func(emit func()) { s.Add(Inst{Emit: func([]int, []int) { emit() }}) }
	if t.turns || t.part {
		do(func() { p.m.Move(at, start) })
	}
	stacks := map[*ir.Node][]V{}
	var lone V // a register whose NaNs are not yet sought
	for group := range p.m.Width() {
		var ends []V
		switch {
		case t.turns:
			head, done := fmt.Sprintf("%sturn%d", t.name, group), fmt.Sprintf("%sdone%d", t.name, group)
			do(func() {
				p.m.Move(end, at)
				p.m.Add(end, last)
			})
			ends = turn(end)
			for i, v := range ends {
				if t.registers == 1 {
					ends[i] = s.New(Vec)
					s.Add(p.m.Copy(ends[i], v))
				}
			}
			do(func() {
				p.m.BranchReach(at, end, done)
				p.m.LoopHead(head)
			})
			for i, v := range turn(at) {
				p.m.FoldStep(s, folds[i], ends[i:i+1], 0, []V{v})
			}
			do(func() {
				p.m.AddImm(at, t.registers*register)
				p.m.BranchBelow(at, end, head)
				p.m.Label(done)
				p.m.Move(at, end)
				p.m.AddImm(at, t.registers*register)
			})
		default:
			var x V
			if t.part {
				x = s.element(folds[0].Args[0], at, 0)
				do(func() { p.m.AddBits(at, p.counts.length, stream.Mem.Bits()) })
			} else {
				x = s.element(folds[0].Args[0], start, group)
			}
			if group%2 == 1 {
				p.seek(s, nans, accs, lone, x)
			}
			lone = x
			for range folds {
				ends = append(ends, x)
			}
		}
		for i, n := range folds {
			stack := append(stacks[n], ends[i])
			for level := 0; (group+1)>>level&1 == 0; level++ {
				top := len(stack) - 1
				stack = append(stack[:top-1], p.m.TreeJoin(s, n, level, stack[top-1], stack[top]))
			}
			stacks[n] = stack
		}
	}
	for _, n := range nans {
		p.m.FoldAlarm(s, accs[n], "groups")
		s.vals[[2]int{n.ID, 0}] = p.m.Zero(s)
	}
	for _, n := range folds {
		s.vals[[2]int{n.ID, 0}] = stacks[n][0]
	}
	s.share = p.m.Width()
	for _, r := range p.k.Results {
		p.m.Lower(s, r, 0, [][]V{{s.scalar(r.Args[0])}}, s.place(r, 0))
	}
	sh.body = s
	return sh
}

// seek looks for NaNs in two registers.
func (p *planner) seek(s *Seg, nans []*ir.Node, accs map[*ir.Node][]V, a, b V) {
	for _, n := range nans {
		p.m.FoldStep(s, n, accs[n], 1, []V{a, b})
	}
}

// element computes register i of those at a place.
func (s *Seg) element(n *ir.Node, at GPR, i int) V {
	if n.Op == ir.OpAs {
		return s.element(n.Args[0], at, i)
	}
	var from Addr
	if n.Op == ir.OpLoad {
		from = Addr{Reg: at, Disp: i * s.p.m.Width() * n.Mem.Bits() / 8}
	}
	var args [][]V
	for _, a := range s.p.operands(n) {
		if s.p.k.Levels(false)[a.ID] == ir.PerElement {
			args = append(args, []V{s.element(a, at, i)})
		} else {
			args = append(args, []V{s.demand(a, 0)})
		}
	}
	return s.p.m.Lower(s, n, 0, args, from)
}

// forget drops what Once has kept.
func (s *Seg) forget() {
	maps.DeleteFunc(s.vals, func(key [2]int, _ V) bool { return key[1] < 0 })
}

// Split is what f makes of two registers at a level of a tree, once for all
// folds. A level below 0 is for what a machine keeps besides.
func (s *Seg) Split(level int, a, b V, f func() (lo, hi V)) (lo, hi V) {
	key := [3]int{level, int(a), int(b)}
	v, ok := s.splits[key]
	if !ok {
		v[0], v[1] = f()
		s.splits[key] = v
	}
	return v[0], v[1]
}

// tree prints the loop over W groups at a time.
func (p *printer) tree(sh *shape) {
	m, w, t, c := p.m, p.m.Width(), sh.tree, p.counts
	stream := p.streams[0]
	bits, start := stream.Mem.Bits(), p.ptr[stream.Name]
	m.Label(sh.name)
	m.Branch(c.groups, Less, w, sh.name+"end")
	switch {
	case t.turns:
		m.Sub(c.last, c.last)
		m.AddBits(c.last, c.length, bits)
		m.AddImm(c.last, -t.registers*w*bits/8)
	case t.part:
		m.TailMasks(c.length)
	}
	m.LoopHead(sh.name + "loop")
	p.run(sh.body)
	if t.turns || t.part {
		m.Move(start, c.at)
	} else {
		m.AddImm(start, w*w*bits/8)
	}
	for _, r := range p.k.Results {
		m.AddImm(p.ptr[r.Name], 4*w)
	}
	m.AddImm(c.groups, -w)
	m.Branch(c.groups, GreaterEqual, w, sh.name+"loop")
	m.Label(sh.name + "end")
	m.Branch(c.groups, NotEqual, 0, "groups")
	m.Ret()
}
