package plan

import (
	"slices"
	"strconv"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// Where groups meet some machines do not choose each element's parameters, but mix those of two groups: a group's stay in
// registers, and a branch before some slots of a tile tells whether the group ends in them. What puts the next group's
// parameters into the lanes behind the end is out of the loop's way. That takes fewer shuffles, of which there are few a
// cycle. Groups of fewer than about twelve elements end too often for it to pay.

// mixture is what a row's tiles have to mix.
type mixture struct {
	params []*ir.Node // or what is made of one alone
	from   []Mixed
	times  []*ir.Node // what is there for the call by which each is multiplied, or nil
	first  *Seg       // loads the first group's
	next   []V        // has a group's in all lanes; if registers ran out there are none, and each slot loads them
	slots  int        // so many of the tile's have begun
	step   int        // and so many begin at a time
	kept   map[[2]int]*keptParam
}

// keptParam is where a slot's register of parameters is in the frame, for what comes when other slots have begun.
type keptParam struct {
	at   Addr
	used bool
}

// Mixed is where a parameter is in memory. If that is an integer that is used as a float, it is mixed as one, and if it is used times what is in
// a register, with that done. Else Times is below zero.
type Mixed struct {
	At      GPR
	ToFloat bool
	Times   int
}

// Crossing is where slots begin. Now are registers that get the parameters of their elements, those of a slot one after
// the other. Next has a group's in all lanes if they are kept; else it is one register, and they are loaded there one by one.
type Crossing struct {
	Label     string
	From      []Mixed
	Slots     int
	Now, Next []int
	Kept      bool
	Mask      int
}

// mixing is the machine, if it is to mix parameters.
func (p *planner) mixing() Mixing {
	m, ok := p.m.(Mixing)
	if !ok || !m.Mixes() {
		return nil
	}
	return m
}

// mixture makes what comes before the first tile.
func (p *planner) mixture(pr *program) *mixture {
	x := &mixture{first: p.seg(pr.call, false, 1), step: 2, kept: map[[2]int]*keptParam{}}
	if p.slotwise {
		x.step = 1
	}
	for _, n := range p.k.Nodes {
		if n.Op != ir.OpParam || !p.needs[false].wanted[false][n.ID] {
			continue
		}
		at := Mixed{At: p.ptr[n.Name], Times: -1}
		var times *ir.Node
		if user := p.onlyUser(n); user != nil {
			if times = p.times(user, n); times != nil || user.Op == ir.OpToFloat {
				at.ToFloat, n = times == nil, user
			}
		}
		x.params, x.from, x.times = append(x.params, n), append(x.from, at), append(x.times, times)
		if !p.frugal {
			x.next = append(x.next, x.first.demand(n, 0))
			continue
		}
		for slot := range n.Slots() {
			x.kept[[2]int{n.ID, slot}] = &keptParam{at: pr.take(4 * p.m.Width())}
		}
	}
	return x
}

// onlyUser is what a parameter is an operand of in the ordinary way, if that is one node.
func (p *planner) onlyUser(param *ir.Node) (only *ir.Node) {
	for _, user := range p.k.Nodes {
		switch {
		case !p.needs[false].wanted[false][user.ID] || !slices.Contains(p.operands(user), param):
		case only != nil:
			return nil
		default:
			only = user
		}
	}
	return only
}

// times is what is there for the call by which a product multiplies a parameter.
func (p *planner) times(product, param *ir.Node) *ir.Node {
	if product.Op != ir.OpMul {
		return nil
	}
	for _, a := range product.Args {
		if a != param && p.k.Levels(false)[a.ID] == ir.PerCall {
			return a
		}
	}
	return nil
}

// mixed is a register of parameters, for each element of a slot.
func (s *Seg) mixed(n *ir.Node, slot int) V {
	for s.mix.slots <= slot {
		s.cross()
	}
	key := [2]int{n.ID, slot}
	v, ok := s.vals[key]
	if !ok {
		v = s.New(Vec)
		s.mix.kept[key].used = true
		s.Add(s.p.m.Fill(Vec, v, s.mix.kept[key].at))
	}
	return v
}

// cross begins the next slots.
func (s *Seg) cross() {
	x, m := s.mix, s.p.mixing()
	in := Inst{Uses: slices.Clone(x.next), Apart: true}
	for _, n := range x.times {
		if n != nil {
			in.Uses = append(in.Uses, s.demand(n, 0))
		}
	}
	for slot := x.slots; slot < x.slots+x.step; slot++ {
		for _, n := range x.params {
			v := s.New(Vec)
			in.Defs, s.vals[[2]int{n.ID, slot}] = append(in.Defs, v), v
		}
	}
	now := len(in.Defs)
	in.Defs = append(append(in.Defs, s.New(Vec)), x.next...)
	if s.p.frugal {
		in.Defs = append(in.Defs, s.New(Vec))
	}
	c := Crossing{Label: label("group", atMeet) + strconv.Itoa(x.slots), From: slices.Clone(x.from), Slots: x.step, Kept: !s.p.frugal}
	in.Emit = func(d, u []int) {
		u = u[len(x.next):]
		for i, n := range x.times {
			if n != nil {
				c.From[i].Times, u = u[0], u[1:]
			}
		}
		c.Now, c.Mask, c.Next = d[:now], d[now], d[now+1:]
		m.Cross(c)
		s.Aside(func() { m.Mix(c) })
	}
	s.Add(in)
	for i, v := range in.Defs[:now] {
		n, slot := x.params[i%len(x.params)], x.slots+i/len(x.params)
		if k := x.kept[[2]int{n.ID, slot}]; k != nil {
			spill := s.p.m.Spill(Vec, v, k.at)
			print := spill.Emit
			spill.Emit = func(d, u []int) {
				if k.used {
					print(d, u)
				}
			}
			s.Add(spill)
			delete(s.vals, [2]int{n.ID, slot - x.step})
		}
	}
	x.slots += x.step
}

// mix does tiles in which groups meet. Where no tile is done anew its pointers to parameters stay until the last.
func (l rowLoop) mix(p *printer) {
	m, mixing, sh, r, n, tile := p.m, p.mixing(), l.shape, l.row, p.counts.n, 4*p.m.Width()
	mixing.ToMix()
	p.run(r.mix.first)
	p.begins(r.meet, m.GroupHead, sh.at(atMeet))
	if p.hasRare() {
		m.Keep(r.left, p.counts.groups)
	}
	p.run(r.meet)
	p.advanceStreams(false)
	mixed := func() {
		mixing.Mixed()
		if !p.hasRare() {
			mixing.NextMixed(p.paramPointers())
		}
	}
	if p.hasRare() {
		mixing.NextMixed(p.paramPointers())
	}
	m.AddImm(n, -tile)
	m.Branch(n, Less, tile, sh.at(atMet))
	p.again(r.meet, p.counts.groups, 1-tile, sh.at(atMeet), sh.at(atWide))
	m.Label(sh.at(atWide))
	mixed()
	m.Sub(n, p.counts.groups)
	m.Jump(sh.at(atGroup))
	m.Label(sh.at(atMet)) // the tail follows
	mixed()
}

// paramPointers are the pointers to all parameters.
func (p *planner) paramPointers() (out []GPR) {
	for _, q := range p.k.Params {
		out = append(out, p.ptr[q.Name])
	}
	return out
}
