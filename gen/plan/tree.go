package plan

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// W groups are reduced together: each to a register, and those pairwise to one
// that has a group in each lane. A group's last register is loaded first, and a
// loop takes in those before it, some at a time: the first of them may be in it
// twice, which makes no difference to an end. Where W groups with such loops would be much code
// they are done in rounds of a few, which leave a register for each fold in the frame. The few groups
// that are left, and all from a NaN on, go the general way.

// tree is a kind of such a reduction.
type tree struct {
	name      string
	group     extent
	registers int  // of a group, or that a turn of the loop takes in
	any       bool // the loop is for all lengths that the others leave
	first     bool // it is asked about before the others
}

// extent is how much of registers a group is.
type extent uint8

const (
	whole  extent = iota // one register or two
	half                 // half of one: two groups are loaded to one
	halves               // more than half of one: its first half and its last one are loaded
	part                 // less than one, for machines with masked loads
	turns                // registers, in a loop
)

// treeKinds are those of the machine, in the order in which they are preferred.
func (p *planner) treeKinds() []*tree {
	kinds := []*tree{{name: "tree", group: whole, registers: 1, first: true}, {name: "treepair", group: whole, registers: 2}}
	splits := p.m.HalfLevel() >= 0
	if splits && 4*p.perRegister() == usual {
		kinds = append(kinds, &tree{name: "treefour", group: whole, registers: 4})
	}
	if splits {
		kinds = append(kinds, &tree{name: "treehalf", group: half})
	}
	kinds = append(kinds, &tree{name: "tree4", group: turns, registers: 4}, &tree{name: "tree1", group: turns, registers: 1, any: true})
	switch {
	case p.m.Masks():
		kinds = append(kinds, &tree{name: "treepart", group: part})
	case splits:
		kinds = append(kinds, &tree{name: "treehalves", group: halves})
	}
	return kinds
}

// usual is the length of most formats' groups, which are done without a loop.
const usual = 32

// perRegister is how many elements of what is folded are in a register.
func (p *planner) perRegister() int {
	for _, n := range p.k.Nodes {
		if n.Op.Fold() {
			return 4 * p.m.Width() / n.Args[0].Slots()
		}
	}
	panic("plan: " + p.k.Name + " folds nothing")
}

// manyTurns are so many that it does not matter if the last is half in vain.
const manyTurns = 8

func (l treeLoop) enter(p *printer) {
	m, length, t, register := p.m, p.counts.length, l.tree, p.perRegister()
	if l.first { // fewer groups, a vector's one above all, are for none of these loops
		m.Branch(p.counts.groups, Less, m.Width(), p.pr.groups.at(atEntry))
	}
	switch {
	case t.group == whole:
		m.Branch(length, Equal, t.registers*register, l.shape.name)
	case t.group == half:
		m.Branch(length, Equal, register/2, l.shape.name)
	case t.group == halves:
		m.Branch(length, GreaterEqual, register/2, l.shape.name)
	case t.group == part:
		m.Branch(length, Less, register, l.shape.name)
	case t.any:
		m.Branch(length, GreaterEqual, t.registers*register, l.shape.name)
	default:
		m.BranchMultiple(length, Equal, t.registers*register, l.shape.name)
		m.Branch(length, GreaterEqual, manyTurns*t.registers*register, l.shape.name)
	}
}

// grower makes the code of a tree.
type grower struct {
	*Seg
	t           *tree
	folds, nans []*ir.Node
	accs        map[*ir.Node][]V // of nans
	lone        V                // a register whose NaNs are not yet sought
	start       GPR              // the stream's
	bits        int              // of an element
	register    int              // bytes of a register
}

// tree makes the code that reduces W groups.
func (p *planner) tree(pr *program, t *tree) *shape {
	stream := p.streams[0]
	each := stream.Mem.Bits()
	g := &grower{Seg: p.seg(pr.call, false, 1), t: t, accs: map[*ir.Node][]V{}, start: p.ptr[stream.Name], bits: each, register: p.perRegister() * each / 8}
	for _, n := range p.k.Nodes {
		switch {
		case n.Op == ir.OpFoldNaN:
			g.nans = append(g.nans, n)
			g.accs[n] = p.m.FoldInit(g.Seg, n)
		case n.Op.Fold():
			g.folds = append(g.folds, n)
		}
	}
	if t.group >= halves {
		g.do(func() { p.m.Move(p.counts.at, g.start) })
	}
	if t.group == turns {
		g.do(func() { p.m.Move(p.n, g.start) })
	}
	var ends []V
	switch w := p.m.Width(); {
	case t.group == half:
		ends = g.join(w/2, 0, g.leaf)
	case t.group == turns && w/groupsOfRound >= manyRounds:
		ends = g.rounds(pr)
	default:
		ends = g.join(w, 0, g.leaf)
	}
	for _, n := range g.nans {
		p.m.FoldAlarm(g.Seg, g.accs[n], pr.groups.at(atEntry))
		g.vals[[2]int{n.ID, 0}] = p.m.Zero(g.Seg)
	}
	for i, n := range g.folds {
		g.folded(n, ends[i])
	}
	g.share = p.m.Width()
	for _, r := range p.k.Results {
		p.m.Lower(g.Seg, r, 0, [][]V{{g.scalar(r.Args[0])}}, g.place(r, 0))
	}
	none := func() *Seg { return p.seg(pr.call, false, 1) }
	return &shape{name: t.name, group: none(), body: g.Seg, tail: none(), after: none()}
}

// join brings registers for each fold, of which leaf has so many, pairwise to one, from a level on.
func (g *grower) join(leaves, level int, leaf func(i int) []V) []V {
	stacks := make([][]V, len(g.folds))
	for i := range leaves {
		for f, v := range leaf(i) {
			stack, at := append(stacks[f], v), level
			for done := i + 1; done%2 == 0; done /= 2 {
				if g.t.group == half && at == g.p.m.HalfLevel() { // which is done by loading
					at++
				}
				top := len(stack) - 1
				stack = append(stack[:top-1], g.p.m.TreeJoin(g.Seg, g.folds[f], at, stack[top-1], stack[top]))
				at++
			}
			stacks[f] = stack
		}
	}
	return slices.Concat(stacks...)
}

// rounds is a loop over W groups, some in each round, and what brings together that it has left in the frame.
func (g *grower) rounds(pr *program) []V {
	m, c, w := g.p.m, g.p.counts, g.p.m.Width()
	register, rounds := 4*w, w/groupsOfRound
	for len(pr.places) < len(g.folds) {
		pr.places = append(pr.places, pr.take(rounds*register))
	}
	places := pr.places
	head := g.t.name + "round"
	g.do(func() {
		m.Point(c.place, places[0])
		m.Sub(c.rounds, c.rounds)
		m.AddImm(c.rounds, rounds)
		m.LoopHead(head)
	})
	for f, v := range g.join(groupsOfRound, 0, g.leaf) {
		g.Add(m.Spill(Vec, v, Addr{Reg: c.place, Disp: places[f].Disp - places[0].Disp}))
	}
	g.do(func() {
		m.AddImm(c.place, register)
		m.AddImm(c.rounds, -1)
		m.Branch(c.rounds, NotEqual, 0, head)
	})
	return g.join(rounds, bits.Len(groupsOfRound)-1, func(i int) (ends []V) {
		for _, place := range places {
			v := g.New(Vec)
			g.Add(m.Fill(Vec, v, Addr{Stack: true, Disp: place.Disp + i*register}))
			ends = append(ends, v)
		}
		return ends
	})
}

// groupsOfRound are so many that what goes through the frame costs little. Two rounds instead of one cost a tenth.
const groupsOfRound, manyRounds = 4, 4

// leaf has in a register for each fold what is known of a group, or of two halves a register.
func (g *grower) leaf(i int) []V {
	m, c := g.p.m, g.p.counts
	var x V
	switch {
	case g.t.group == turns:
		return g.turns(i)
	case g.t.group == whole && g.t.registers > 1:
		return g.turn(g.start, i*g.t.registers*g.register)
	case g.t.group == whole:
		x = g.load(g.start, i*g.register)
	case g.t.group == half: // groups that this level would bring together
		level := 1 << m.HalfLevel()
		first := (i + i&^(level-1)) * g.register / 2
		x = g.loadHalves(Addr{Reg: g.start, Disp: first}, Addr{Reg: g.start, Disp: first + level*g.register/2})
	case g.t.group == halves:
		g.do(func() {
			m.Move(g.p.n, c.at)
			m.Add(g.p.n, c.last)
		})
		x = g.loadHalves(Addr{Reg: c.at}, Addr{Reg: g.p.n})
		g.do(func() { m.AddBits(c.at, c.length, g.bits) })
	case g.t.group == part:
		x = g.element(g.folds[0].Args[0], func(*ir.Node, [][]V) V { return m.LoadPart(g.Seg, g.bits, Addr{Reg: c.at}) })
		g.do(func() { m.AddBits(c.at, c.length, g.bits) })
	}
	if i%2 == 1 {
		g.seek(g.lone, x)
	}
	g.lone = x
	return slices.Repeat([]V{x}, len(g.folds))
}

// turns is a loop over a group's registers, from its last ones on. Before it and behind it both pointers are where a group begins.
func (g *grower) turns(leaf int) []V {
	m, t, at, end := g.p.m, g.t, g.p.counts.at, g.p.n
	head, done := fmt.Sprintf("%sturn%d", t.name, leaf), fmt.Sprintf("%sdone%d", t.name, leaf)
	g.do(func() { m.Add(end, g.p.counts.last) })
	ends := g.turn(end, 0)
	if t.registers == 1 { // all are the same
		for i, v := range ends[1:] {
			ends[i] = g.New(Vec)
			g.Add(m.Copy(ends[i], v))
		}
	}
	g.do(func() {
		m.BranchReach(at, end, done)
		m.LoopHead(head)
	})
	for i, v := range g.turn(at, 0) {
		m.FoldStep(g.Seg, g.folds[i], ends[i:i+1], 0, []V{v})
	}
	g.do(func() {
		m.AddImm(at, t.registers*g.register)
		m.BranchBelow(at, end, head)
		m.Label(done)
		m.AddImm(end, t.registers*g.register)
		m.Move(at, end)
	})
	return ends
}

// turn folds some registers to one, for each fold.
func (g *grower) turn(at GPR, disp int) []V {
	out := make([]V, len(g.folds))
	var xs []V
	g.forget() // the place is another one each time
	for r := range g.t.registers {
		xs = append(xs, g.load(at, disp+r*g.register))
		for i, n := range g.folds {
			if r == 0 {
				out[i] = xs[0]
			} else {
				out[i] = g.p.m.FoldPair(g.Seg, n, out[i], xs[r])
			}
		}
		if r%2 == 1 {
			g.seek(xs[r-1], xs[r])
		}
	}
	if g.t.registers == 1 {
		g.seek(xs[0], xs[0])
	}
	return out
}

// seek looks for NaNs in two registers.
func (g *grower) seek(a, b V) {
	for _, n := range g.nans {
		g.p.m.FoldStep(g.Seg, n, g.accs[n], 1, []V{a, b})
	}
}

// do prints what concerns general registers.
func (g *grower) do(emit func()) {
	g.Add(Inst{Emit: func([]int, []int) { emit() }})
}

// load computes what is folded of a register at a place, loadHalves of one whose halves are at two.
func (g *grower) load(at GPR, disp int) V {
	return g.element(g.folds[0].Args[0], func(n *ir.Node, args [][]V) V {
		place := Addr{Reg: at, Disp: disp}
		v := g.p.m.Lower(g.Seg, n, 0, args, place)
		g.loaded(n, v, place)
		return v
	})
}

func (g *grower) loadHalves(lo, hi Addr) V {
	return g.element(g.folds[0].Args[0], func(*ir.Node, [][]V) V { return g.p.m.LoadHalves(g.Seg, lo, hi) })
}

// element computes a register of what is folded, of which load has what is loaded.
func (s *Seg) element(n *ir.Node, load func(n *ir.Node, args [][]V) V) V {
	if n.Op == ir.OpAs {
		return s.element(n.Args[0], load)
	}
	var args [][]V
	for _, a := range s.p.operands(n) {
		if s.p.k.Levels(false)[a.ID] == ir.PerElement {
			args = append(args, []V{s.element(a, load)})
		} else {
			args = append(args, []V{s.demand(a, 0)})
		}
	}
	if n.Op == ir.OpLoad {
		return load(n, args)
	}
	return s.p.m.Lower(s, n, 0, args, Addr{})
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

func (l treeLoop) print(p *printer) {
	m, w, t, sh, c := p.m, p.m.Width(), l.tree, l.shape, p.counts
	stream := p.streams[0]
	bits, start := stream.Mem.Bits(), p.ptr[stream.Name]
	register := p.perRegister() * bits / 8
	m.Label(sh.name)
	behind := func(bytes int) { // the last so many bytes of a group
		m.Sub(c.last, c.last)
		m.AddBits(c.last, c.length, bits)
		m.AddImm(c.last, -bytes)
	}
	switch t.group {
	case halves:
		behind(register / 2)
	case part:
		m.PartMask(c.length)
	case turns:
		behind(t.registers * register)
	}
	m.LoopHead(sh.at(atLoop))
	p.run(sh.body)
	switch t.group {
	case whole:
		m.AddImm(start, w*t.registers*register)
	case half:
		m.AddImm(start, w*register/2)
	default:
		m.Move(start, c.at)
	}
	p.advanceResults(w)
	m.AddImm(c.groups, -w)
	m.Branch(c.groups, GreaterEqual, w, sh.at(atLoop))
	m.Jump(toFew)
	p.few = true
}
