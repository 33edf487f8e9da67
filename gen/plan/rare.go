package plan

import "github.com/lowbit-go/lowbit/gen/ir"

// A tile that the formula is not right for is done in another way, of which a function has one copy. That takes parameters one
// for each element, and is a loop over the tile's registers, as its time does not matter. What joins registers follows behind the
// loop, which leaves them in the frame.

// rareWay is what is done instead of a tile.
type rareWay struct {
	each int               // registers of 32-bit numbers in a turn
	turn *Seg              // empty if there is no such way
	rest *Seg              // behind all turns
	left map[*ir.Node]Addr // the registers of nodes that turns leave
}

// rareEach is how many registers a turn has, so that it has whole ones of all that is read: the tile if that may be codes.
func (p *planner) rareEach() int {
	each := 1
	for _, s := range p.streams {
		switch bits := s.Mem.Bits(); {
		case bits == 16:
			each = max(each, 2)
		case bits < 16 && s.In:
			each = 4
		}
	}
	return each
}

// behindTurns is a place that is so many bytes further for each element that turns have done: a register counts those that are left, below zero.
func (p *planner) behindTurns(a Addr, bytes int) Addr {
	a.Index, a.Scale, a.Disp = p.counts.left, bytes, a.Disp+4*p.m.Width()*bytes
	return a
}

// rareWay makes what is done instead of a tile.
func (p *planner) rareWay(pr *program) {
	r := pr.rare
	r.each, r.left = p.rareEach(), map[*ir.Node]Addr{}
	for _, s := range []*Seg{r.turn, r.rest} {
		if s.lanes = p.k.Grouped(); s.lanes {
			s.share = 4
		}
		if s.up = pr.call; p.rareAlone {
			s.up = nil
		}
		s.name, s.at, s.rare, s.registers = "rare", p.direct(), true, r.each
	}
	rest := r.turn
	if r.each < 4 {
		rest, r.rest.behind = r.rest, pr
		for _, a := range p.arrays() {
			r.turn.at[a.Name] = p.behindTurns(r.turn.at[a.Name], a.Mem.Bits()/8)
		}
	}
	for slot := range r.each {
		r.turn.nodes(4, slot, nil)
		if slot%2 == 1 {
			r.turn.nodes(2, slot/2, nil)
		}
	}
	if r.each == 1 {
		rest.nodes(2, 0, nil)
		rest.nodes(2, 1, nil)
	}
	rest.nodes(1, 0, nil)
	if len(r.left) > 0 { // turns count from behind what they leave, which is to be in the frame too
		pr.take(4*p.m.Width() + 8)
	}
}

// leave has turns leave a node's registers in the frame, and returns one behind them, if they make it.
func (s *Seg) leave(n *ir.Node, slot int) (V, bool) {
	p, r, size := s.p, s.behind.rare, 4*s.p.m.Width()
	c := func(v V) Class { return p.class[v] }
	made := func(slot int) V { return r.turn.vals[[2]int{n.ID, slot}] }
	slots := n.Slots() * r.each / 4 // of a turn
	if slots == 0 {
		return 0, false
	}
	at, ok := r.left[n]
	if !ok {
		at = s.behind.takeRegisters(n.Slots(), size)
		r.left[n] = at
		for slot := range slots {
			to := p.behindTurns(at, n.Slots())
			to.Disp += slot * size
			r.turn.Add(p.m.Spill(c(made(slot)), made(slot), to))
		}
	}
	v := s.New(c(made(0)))
	at.Disp += slot * size
	s.Add(p.m.Fill(c(v), v, at))
	if p.uses(n) == 1 {
		s.once[v] = at
	}
	return v, true
}

// turns prints the loop, and what follows it.
func (p *printer) turns() {
	m, left, r := p.m, p.counts.left, p.pr.rare
	if r.each == 4 {
		p.run(r.turn)
		return
	}
	m.Number(left, -4*m.Width())
	m.Label(toTurn)
	p.run(r.turn)
	m.AddImm(left, r.each*m.Width())
	m.Branch(left, NotEqual, 0, toTurn)
	p.run(r.rest)
}
