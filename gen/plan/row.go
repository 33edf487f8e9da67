package plan

import (
	"fmt"
	"slices"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// A row of groups is one run of tiles with one tail, however long its groups
// are. While a group has whole tiles these are done with its values in
// registers. A tile in which groups meet has code of its own: for each of its
// four registers of elements a branch tells whether the group ends within or before it,
// and leads to what puts the next group's values in the lanes behind the end: once
// for all of them, and back by the slot's number.

// mixture is what a segment with groups that meet knows of values per group.
type mixture struct {
	roots []*ir.Node   // those that elements need, with 32-bit lanes
	now   []V          // of the elements at hand
	kept  map[[2]int]V // copies for what is computed of a slot's elements later
	used  map[[2]int]bool
	begun [4]bool // slots of which something is computed
	cross *cross  // that of all slots, unless registers are few
}

// mixed finds the values per group that elements need.
func (p *planner) mixed() *mixture {
	x := &mixture{kept: map[[2]int]V{}, used: map[[2]int]bool{}}
	levels := p.k.Levels(false)
	seen := map[int]bool{}
	var visit func(n *ir.Node)
	visit = func(n *ir.Node) {
		n = same(n, false)
		switch {
		case levels[n.ID] != ir.PerGroup || seen[n.ID]:
		case n.Op == ir.OpParam || n.Slots() == 4 && n.Type != ir.Mask:
			seen[n.ID] = true
			x.roots = append(x.roots, n)
		default:
			for _, a := range p.operands(n) {
				visit(a)
			}
		}
	}
	for _, n := range p.k.Nodes {
		if levels[n.ID] == ir.PerElement && p.needs[false].wanted[false][n.ID] {
			for _, a := range p.operands(n) {
				visit(a)
			}
		}
	}
	return x
}

func (x *mixture) root(n *ir.Node) int {
	for i, r := range x.roots {
		if r == n {
			return i
		}
	}
	return -1
}

// root finds a slot's value of a root.
func (s *Seg) root(n *ir.Node, slot int) V {
	key := [2]int{n.ID, slot}
	if v, ok := s.vals[key]; ok {
		return v
	}
	at, spilled := s.p.spilling.spilled[n.ID]
	if !spilled {
		panic(fmt.Sprintf("plan: %s%s: slot %d's value of node %d is gone", s.p.k.Name, s.p.m.Name(), slot, n.ID))
	}
	at.Disp += 4 * s.p.m.Width() * slot
	v := s.New(Vec)
	s.Add(s.p.m.Fill(v, at))
	s.vals[key], s.mixture.used[key] = v, true
	return v
}

// with has f emit what is computed of a slot's elements. The first time groups
// are looked at, and their values kept for later times.
func (s *Seg) with(slot int, f func()) {
	x := s.mixture
	if x == nil || x.begun[slot] {
		f()
		return
	}
	x.begun[slot] = true
	s.meetAt(slot)
	for i, n := range x.roots {
		key := [2]int{n.ID, slot}
		s.vals[key] = x.now[i]
		if at, ok := s.p.spilling.spilled[n.ID]; ok {
			at.Disp += 4 * s.p.m.Width() * slot
			in := s.p.m.Spill(x.now[i], at)
			in.optional = func() bool { return x.used[key] }
			s.Add(in)
			continue
		}
		v := s.New(Vec)
		x.kept[key] = v
		in := s.p.m.Copy(v, x.now[i])
		in.optional = func() bool { return x.used[key] }
		s.Add(in)
	}
	f()
	for _, n := range x.roots {
		key := [2]int{n.ID, slot}
		if v, ok := x.kept[key]; ok {
			s.vals[key] = v
		} else {
			delete(s.vals, key)
		}
	}
}

// prune forgets what was kept in vain.
func (s *Seg) prune() {
	kept := map[V][2]int{}
	for key, v := range s.mixture.kept {
		kept[v] = key
	}
	for _, i := range s.insts {
		for _, u := range i.Uses {
			if key, ok := kept[u]; ok {
				s.mixture.used[key] = true
			}
		}
	}
	var insts []Inst
	for _, i := range s.insts {
		if i.optional == nil || i.optional() {
			insts = append(insts, i)
		}
	}
	s.insts = insts
}

// cross is the code that puts the next group's values in the lanes behind a group's end.
type cross struct {
	next  *Seg // computes roots of the group behind the one that the pointers are at; parameters need none
	roots []V
	masks []V
	same  map[V]V // whose register a value of next takes
	temps []V     // all registers but those of roots
	uses  []V
}

// newCross makes such code.
func (s *Seg) newCross() *cross {
	c := &cross{next: s.p.seg(s.up, false, 1), masks: s.p.m.MixTemps(s)}
	c.next.next = 1
	for _, n := range s.mixture.roots {
		v := V(-1)
		if n.Op != ir.OpParam {
			v = c.next.demand(n, 0)
		}
		c.roots = append(c.roots, v)
	}
	c.temps, c.same = slices.Clone(c.masks), s.p.squeeze(c.next.insts, c.roots)
	for _, inst := range c.next.insts {
		for _, d := range inst.Defs {
			if c.same[d] == d {
				c.temps = append(c.temps, d)
			}
		}
		for _, u := range inst.Uses {
			if _, own := c.same[u]; !own {
				c.uses = append(c.uses, u)
			}
		}
	}
	return c
}

// meetAt emits the branch before a slot's elements. What the group has behind the slot is
// below zero where it ends within it, and below 1-W where it ends before it, as the pointers
// stay at a group until a slot has none of its elements.
func (s *Seg) meetAt(slot int) {
	p, m, x := s.p, s.p.m, s.mixture
	c, behind, name := x.cross, p.counts.groups, fmt.Sprintf("%s%d", s.name, slot)
	shared := c != nil
	if !shared {
		c = s.newCross()
	}
	in := Inst{Defs: slices.Concat(x.now, c.temps), Uses: slices.Concat(x.now, c.uses), Apart: true}
	if shared { // in registers that all slots leave alone
		in.Uses = append(in.Uses, c.temps...)
	}
	in.Emit = func(d, u []int) {
		m.SubBranch(behind, p.m.Width(), label(name, atCross))
		m.Label(name)
		at := assignment{}
		for i, v := range in.Uses {
			at[v] = u[i]
		}
		for i, v := range in.Defs {
			at[v] = d[i]
		}
		for v, as := range c.same {
			at[v] = at[as]
		}
		p.aside = append(p.aside, func() {
			m.Label(label(name, atCross))
			switch {
			case !shared:
				s.printCross(c, at, name)
				m.Jump(name)
			case slot > 0:
				m.SetSlot(slot)
				m.Jump(label(s.name, atMix))
			default:
				m.SetSlot(slot)
				s.printCross(c, at, s.name)
				for other := 1; other < 4; other++ {
					m.BranchSlot(other, fmt.Sprintf("%s%d", s.name, other))
				}
				m.Jump(name)
			}
		})
	}
	s.Add(in)
}

// printCross prints the code, up to where it goes back to the slot's elements.
func (s *Seg) printCross(c *cross, at assignment, name string) {
	p, m, x := s.p, s.p.m, s.mixture
	behind := p.counts.groups
	var mask []int
	for _, v := range c.masks {
		mask = append(mask, at[v])
	}
	advance := func() {
		m.Add(behind, p.counts.length)
		p.advanceParams(1)
	}
	m.Label(label(name, atMix))
	c.next.print(at)
	m.MixMask(behind, mask)
	for i, n := range x.roots {
		if n.Op == ir.OpParam {
			m.MixParam(at[x.now[i]], Addr{Reg: p.ptr[n.Name], Disp: 4}, mask)
		} else {
			m.Mix(at[x.now[i]], at[c.roots[i]], mask)
		}
	}
	m.BranchReaches(behind, p.counts.length, label(name, atReached))
	advance()
	m.Jump(label(name, atMix))
	m.Label(label(name, atReached))
	m.Branch(behind, GreaterEqual, 1-m.Width(), label(name, atMixed))
	advance()
	m.Label(label(name, atMixed))
}

// squeeze has values that instructions make share registers, those to keep
// aside: it tells whose register each takes.
func (p *planner) squeeze(insts []Inst, keep []V) map[V]V {
	last := map[V]int{}
	for i, inst := range insts {
		for _, v := range append(append([]V(nil), inst.Uses...), inst.Defs...) {
			last[v] = i
		}
	}
	for _, v := range keep {
		last[v] = len(insts)
	}
	same, until := map[V]V{}, map[V]int{}
	var owners []V
	for i, inst := range insts {
		for _, d := range inst.Defs {
			owner := d
			if _, again := same[d]; again {
				continue
			}
			for _, o := range owners {
				if until[o] < i && p.class[o] == p.class[d] {
					owner = o
					break
				}
			}
			if owner == d {
				owners = append(owners, d)
			}
			same[d], until[owner] = owner, last[d]
		}
	}
	return same
}

// meeting makes the tile in which groups meet. An alarm goes back to the
// tile's first group, and has the tile done piece by piece.
func (p *planner) meeting(pr *program, sh *shape, at map[string]Addr) *meeting {
	s := p.seg(pr.call, false, 4)
	s.name, s.at, s.alarm = sh.at(atMeet), at, sh.at(atMeetRare)
	s.mixture = p.mixed()
	values := p.seg(pr.call, false, 1)
	if p.hasRare() {
		s.Add(Inst{Emit: func([]int, []int) {
			p.m.Move(p.counts.behind, p.counts.groups)
			p.m.Move(p.counts.table, p.ptr[p.k.Params[0].Name])
		}})
	}
	for _, n := range s.mixture.roots {
		s.mixture.now = append(s.mixture.now, values.demand(n, 0))
	}
	if !p.spilling.separate {
		s.mixture.cross = s.newCross()
		values.Add(Inst{Defs: s.mixture.cross.temps, Emit: func([]int, []int) {}})
	}
	s.body(nil)
	s.prune()
	return &meeting{values, s}
}

func (l rowLoop) print(p *printer) {
	m, sh, tile, n, behind := p.m, l.shape, 4*p.m.Width(), p.counts.n, p.counts.groups
	done := sh.at(atDone)
	if p.large() {
		done = "return"
	}
	m.Label(sh.at(atEntry))
	m.Move(n, p.counts.length)
	m.Mul(n, p.counts.groups)
	m.Move(behind, p.counts.length)
	m.Label(sh.at(atBegin))
	m.Branch(n, Less, tile, sh.at(atTail))
	m.Branch(behind, Less, tile, sh.at(atToMeet))
	p.run(sh.group)
	m.Sub(n, behind)
	p.loop(sh, p.large(), behind, tile, sh.at(atWhole))
	m.Label(sh.at(atWhole))
	if !sh.masked || p.hasRare() {
		m.Branch(behind, Less, 0, sh.at(atStaged))
	}
	m.Add(n, behind)
	m.Branch(behind, Equal, 0, sh.at(atNext))
	m.Branch(n, Less, tile, sh.at(atTail))
	m.Label(sh.at(atToMeet))
	p.run(l.values)
	m.LoopHead(sh.at(atMeet))
	p.run(l.meeting.tile)
	p.advanceStreams(false)
	m.AddImm(n, -tile)
	if p.spilling.apart {
		m.Branch(behind, Less, 1, sh.at(atMet))
		m.Branch(n, Less, tile, sh.at(atMet))
		m.Branch(behind, Less, tile, sh.at(atMeet))
		m.Label(sh.at(atMet))
		p.run(p.pr.call)
	}
	m.Branch(behind, Less, 1, sh.at(atNext))
	m.Branch(n, Less, tile, sh.at(atTail))
	m.Branch(behind, Less, tile, sh.at(atMeet))
	m.Jump(sh.at(atBegin))
	m.Label(sh.at(atNext))
	m.Branch(n, Equal, 0, done)
	m.Label(sh.at(atSkip))
	m.Add(behind, p.counts.length)
	p.advanceParams(1)
	m.Branch(behind, Less, 1, sh.at(atSkip))
	m.Jump(sh.at(atBegin))

	total, part := p.counts.behind, p.counts.table
	m.Label(sh.at(atTail))
	m.Move(total, n)
	m.Move(part, n)
	m.Label(sh.at(atPieces)) // of part elements, each of one group
	m.Move(n, part)
	m.BranchReach(behind, n, sh.at(atPiece))
	m.Move(n, behind)
	m.Label(sh.at(atPiece))
	p.run(sh.group)
	stage := func() {
		p.stageIn(sh)
		m.Keep(p.pr.left, behind)
		m.Sub(behind, behind) // and below zero behind the tile
		m.Jump(sh.at(atLoop))
		m.Label(sh.at(atStaged))
		p.stageOut(sh)
		m.Recall(behind, p.pr.left)
	}
	if !sh.masked {
		stage()
	} else {
		p.masked(sh)
		if p.hasRare() {
			p.aside = append(p.aside, func() {
				m.Label(sh.at(atStage))
				stage()
				m.Jump(sh.at(atRest))
			})
		}
	}
	m.Label(sh.at(atRest))
	m.Sub(behind, n)
	m.Sub(part, n)
	m.Sub(total, n)
	m.Branch(total, Equal, 0, done)
	m.Branch(behind, NotEqual, 0, sh.at(atMore))
	m.Move(behind, p.counts.length)
	p.advanceParams(1)
	m.Label(sh.at(atMore))
	m.Branch(part, NotEqual, 0, sh.at(atPieces))
	m.Move(n, total)
	m.Jump(sh.at(atBegin))
	if !p.large() {
		m.Label(done)
		m.Ret()
	}
	if !p.hasRare() {
		return
	}
	p.aside = append(p.aside, func() {
		m.Label(sh.at(atMeetRare))
		if p.spilling.apart {
			p.run(p.pr.call)
		}
		m.Move(behind, p.counts.behind)
		m.Sub(p.counts.table, p.ptr[p.k.Params[0].Name])
		for _, q := range p.k.Params {
			m.Add(p.ptr[q.Name], p.counts.table)
		}
		m.Move(total, n)
		m.Sub(part, part)
		m.AddImm(part, tile)
		m.Jump(sh.at(atPieces))
	})
}

// spilling is what is done where groups meet if registers run out there, and
// there only: nothing that loops over whole tiles would notice.
type spilling struct {
	ranOut   bool         // they did
	separate bool         // each slot has code of its own for groups that meet
	apart    bool         // no registers are left alone for those loops, which begin anew
	spilled  map[int]Addr // values per group that are kept in the frame
}

// spillMore has more of that done, if there is something left.
func (p *planner) spillMore() bool {
	switch {
	case !p.spilling.separate:
		p.spilling.separate = true
		return true
	case !p.spilling.apart:
		p.spilling.apart = true
		return true
	}
	for _, n := range p.mixed().roots {
		if _, ok := p.spilling.spilled[n.ID]; !ok {
			p.spilling.spilled[n.ID] = Addr{}
			return true
		}
	}
	return false
}
