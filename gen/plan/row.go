package plan

import (
	"slices"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// A row of groups is one run of tiles with one tail, however long its groups
// are. While a group has whole tiles these are done with its values in
// registers. A tile in which groups meet is a lane's, but that each register of
// parameters is chosen from those of W adjacent groups, by the numbers of the
// elements' groups: the group at hand is 0. A table in the frame has these numbers; where
// a tile begins in its group says from where on they count. Some machines mix parameters instead (rowmix.go).
//
// What is rare is done by the lanes' loop, with parameters repeated in the frame: what is
// left in the end, tiles that an alarm stops, and groups so short that more than W meet.

// repeated is how many tiles that loop is given at a time.
const repeated = 2

// leastChosen is the shortest group of which no tile has more than W, for all widths.
const leastChosen = 5

// usualBlock is how many elements most groups have. Where they are one tile a group ends as often as a tile, and has one branch for it.
const usualBlock = 32

// row is what a row has beside its group's loop.
type row struct {
	lane *shape
	meet *Seg     // a tile in which groups meet
	mix  *mixture // if its parameters are mixed, and not chosen by numbers

	numbers  Numbers
	end      Addr            // of the first parameter's array
	left     Addr            // elements, when the lanes' loop has some
	turned   Addr            // whether it has
	last     map[string]Addr // copies of the last parameters
	repeated map[string]Addr // parameters, once for each element
	saved    map[string]Addr // their pointers, behind what is repeated
}

// Numbers are where a table is, 4W+1 zeros and the numbers of the groups behind, and what a
// tile changes: Whole groups for certain, and so many bytes of the table, Step; if that is at
// End or above, one group more, and Size less. While it is above Low groups meet. So many elements as Least
// are of W groups.
type Numbers struct{ Table, Whole, Step, Size, End, Low, Least Addr }

// NumbersLen is how many numbers a table has, with room for a register behind them.
func NumbersLen(width int) int { return 9*width + 2 }

// numbers takes room for a table, and for the six numbers that the routine has behind it.
func (f *frame) numbers(width int) Numbers {
	size := 4 * NumbersLen(width)
	table := f.take(size + 6*8)
	at := func(i int) Addr { return Addr{Stack: true, Disp: table.Disp + size + 8*i} }
	return Numbers{table, at(0), at(1), at(2), at(3), at(4), at(5)}
}

// row makes the tile in which groups meet, and takes room in the frame.
func (p *planner) row(pr *program, lane *shape) *row {
	w := p.m.Width()
	r := &row{lane: lane, last: map[string]Addr{}, repeated: map[string]Addr{}, saved: map[string]Addr{}}
	if p.mixing() != nil {
		r.mix = p.mixture(pr)
	} else {
		r.numbers = pr.numbers(w)
		r.end = pr.take(8)
	}
	r.left, r.turned = pr.take(8), pr.take(8)
	for _, q := range p.k.Params {
		if r.mix == nil {
			r.last[q.Name] = pr.takeAligned(16 * w)
		}
	}
	for _, q := range p.k.Params {
		r.repeated[q.Name] = pr.take(Repeated.Room(p.m) - 8)
		r.saved[q.Name] = pr.take(8)
	}
	r.meet = p.seg(lane.group, true, 4)
	r.meet.name, r.meet.alarm, r.meet.at = "meet", label("group", atMeetRare), lane.body.at
	r.meet.meets, r.meet.mix = true, r.mix
	r.meet.body(nil)
	return r
}

// index is where the numbers of a slot's elements are.
func (s *Seg) index(slot int) Addr {
	return Addr{Reg: s.p.counts.index, Disp: 4 * s.p.m.Width() * slot}
}

// chooses reports whether a node's lanes are of several groups, and there as such.
func (s *Seg) chooses(n *ir.Node) bool {
	return s.meets && (n.Op == ir.OpParam || s.mix != nil && slices.Contains(s.mix.params, n))
}

// chosen emits a register of parameters, chosen for each element. If there are
// registers for it, those that are chosen from stay in one, and so does the choice.
func (s *Seg) chosen(n *ir.Node, slot int) V {
	if s.mix != nil {
		return s.mixed(n, slot)
	}
	m, from := s.p.m, Addr{Reg: s.p.ptr[n.Name]}
	if s.p.frugal {
		return m.Choose(s, from, s.index(slot))
	}
	key := [2]int{-1, slot}
	index, ok := s.vals[key]
	if !ok {
		index = m.LoadWords(s, s.index(slot))
		s.vals[key] = index
	}
	params := s.Once(n, 0, func() V { return m.LoadWords(s, from) })
	return m.ChooseFrom(s, params, index)
}

func (l rowLoop) print(p *printer) {
	m, sh := p.m, l.shape
	done := sh.at(atDone)
	if p.large() {
		done = toReturn
	}
	l.begin(p)
	l.groups(p, done)
	l.meet(p)
	l.tail(p, done)
	if !p.large() {
		m.Label(done)
		m.Ret()
	}
	if l.row.mix == nil {
		p.aside = append(p.aside, func() { l.last(p) })
	}
	p.aside = append(p.aside, func() { l.odd(p, done) })
}

// begin counts the row's elements, and has groups numbered if they may meet.
func (l rowLoop) begin(p *printer) {
	m, sh, r := p.m, l.shape, l.row
	n, behind, length, free := p.counts.n, p.counts.groups, p.counts.length, p.counts.free
	m.Label(sh.at(atEntry))
	if r.mix != nil {
		m.Move(n, length)
		m.Mul(n, behind)
		m.Move(behind, length)
		m.Label(sh.at(atAgain))
		p.mixing().Unmixed()
	} else {
		m.Move(free, behind)
		m.Move(n, length)
		m.Mul(n, free)
		m.Move(behind, length)
		m.Branch(free, Equal, 1, sh.at(atBegin))
		m.BranchMultiple(length, Equal, 4*m.Width(), sh.at(atBegin))
		m.KeepEnd(r.end, p.ptr[p.k.Params[0].Name], free)
		m.NumberGroups(r.numbers)
	}
}

// groups asks what a tile is of, and does whole tiles of groups.
func (l rowLoop) groups(p *printer, done string) {
	m, sh, tile := p.m, l.shape, 4*p.m.Width()
	n, behind, length := p.counts.n, p.counts.groups, p.counts.length
	staged := !sh.masked || p.hasRare() // the tile in the frame is done in the same loop, behind which less than nothing is left
	blocks := tile == usualBlock
	m.Label(sh.at(atBegin))
	m.Branch(n, Less, tile, sh.at(atTail))
	m.Branch(behind, Less, tile, sh.at(atToMeet))
	m.Sub(n, behind)
	head := m.Label
	if slices.ContainsFunc(p.streams, func(s *ir.Stream) bool { return s.Mem == ir.MemCodes }) {
		head = m.GroupHead
	}
	next := func(group string) { // behind a group's whole tiles
		if blocks {
			m.Branch(behind, NotEqual, 0, sh.at(atOver))
		} else {
			if staged {
				m.Branch(behind, Less, 0, sh.at(atStaged))
			}
			m.Add(n, behind) // which the group has left
			m.Branch(behind, NotEqual, 0, sh.at(atBegin))
		}
		p.advanceParams(1)
		m.Move(behind, length)
		m.SubBranch(n, length, group)
		m.Jump(done)
	}
	if len(sh.apart) > 0 { // each layout has a loop over groups
		m.Label(sh.at(atGroup))
		first := sh.group
		if l.row.mix == nil {
			p.run(first)
			first = nil
		}
		if p.large() {
			p.streamed(sh, first, behind, tile, sh.at(atWhole))
			p.aside = append(p.aside, func() {
				m.Label(sh.at(atWhole))
				next(sh.at(atGroup))
			})
		}
		p.apart(sh, func(s *Seg, group string) {
			head(group)
			p.run(sh.group)
			if s.list != nil {
				p.run(s.list)
			}
			inner := group + string(atLoop)
			m.LoopHead(inner)
			p.round(sh, s, behind, tile, inner, sh.at(atWhole), func() { p.own(p.large()); p.run(s) })
			next(group)
		})
	} else {
		head(sh.at(atGroup))
		p.run(sh.group)
		p.loop(sh, p.large(), behind, tile, sh.at(atWhole))
		if p.large() || sh.ahead != nil {
			m.Label(sh.at(atWhole))
		}
		next(sh.at(atGroup))
	}
	if blocks { // so few elements that groups meet in the next tile
		m.Label(sh.at(atOver))
		if staged {
			p.mixing().BranchOver(sh.at(atStaged))
		}
		m.Add(n, behind)
		m.Branch(n, Less, tile, sh.at(atTail))
	}
}

// meet does tiles in which groups meet.
func (l rowLoop) meet(p *printer) {
	m, sh, r, n, tile := p.m, l.shape, l.row, p.counts.n, 4*p.m.Width()
	m.Label(sh.at(atToMeet))
	if r.mix != nil {
		l.mix(p)
		return
	}
	m.Branch(p.counts.length, Less, leastChosen, sh.at(atOdd))
	m.BranchBelowKept(n, r.numbers.Least, sh.at(atEnding))
	m.Label(sh.at(atChosen))
	m.PointNumbers(r.numbers.Table)
	m.LoopHead(sh.at(atMeet))
	p.run(r.meet)
	p.advanceStreams(false)
	m.NextGroups(r.numbers, p.paramPointers())
	m.AddImm(n, -tile)
	m.BranchBelowKept(n, r.numbers.Least, sh.at(atMet))
	m.BranchAboveKept(p.counts.index, r.numbers.Low, sh.at(atMeet))
	m.Label(sh.at(atMet))
	m.GroupLeft(r.numbers.Table)
	m.Jump(sh.at(atBegin))
}

// tail does the last elements, fewer than a tile: with masks or on a tile in the frame if one group has them all, else as the lanes do.
func (l rowLoop) tail(p *printer, done string) {
	m, sh, n, behind := p.m, l.shape, p.counts.n, p.counts.groups
	m.Label(sh.at(atTail))
	m.Branch(n, Equal, 0, done)
	m.BranchBelow(behind, n, sh.at(atOdd))
	p.run(sh.group)
	stage := func() {
		p.stageIn(sh)
		m.Sub(behind, behind) // and below zero behind the tile
		m.Jump(sh.at(atLoop))
		m.Label(sh.at(atStaged))
		p.stageOut(sh)
		if p.large() {
			m.Jump(done)
		}
	}
	if !sh.masked {
		stage()
	} else {
		p.masked(sh)
		if p.large() {
			m.Jump(done)
		}
		if p.hasRare() {
			p.aside = append(p.aside, func() {
				m.Label(sh.at(atStage))
				stage()
				if !p.large() {
					m.Jump(done)
				}
			})
		}
	}
}

// last has the parameters of the last groups, fewer than W, in front of zeros: once for all of them.
func (l rowLoop) last(p *printer) {
	m, r, n := p.m, l.row, p.counts.n
	first := p.k.Params[0].Name
	m.Label(l.shape.at(atEnding))
	m.Keep(r.left, n)
	m.GroupsLeft(n, p.ptr[first], r.end)
	p.pass(Left, r.last[first])
	m.KeepNumber(r.numbers.Least, 4*m.Width())
	m.Recall(n, r.left)
	m.Jump(l.shape.at(atChosen))
}

// odd has the lanes' loop do some elements.
func (l rowLoop) odd(p *printer, done string) {
	m, sh, r, n := p.m, l.shape, l.row, p.counts.n
	repeats := repeated * 4 * m.Width()
	if p.hasRare() {
		m.Label(sh.at(atMeetRare))
		if r.mix == nil {
			m.GroupLeft(r.numbers.Table)
		} else {
			m.Recall(p.counts.groups, r.left)
			p.mixing().Mixed()
		}
	}
	m.Label(sh.at(atOdd))
	m.Keep(r.left, n)
	m.AtMost(n, repeats)
	p.pass(Repeated, r.repeated[p.k.Params[0].Name])
	m.Move(p.counts.groups, p.counts.index) // as the routine leaves it
	m.KeepNumber(r.turned, 1)
	m.Jump(r.lane.at(atRow))
	m.Label(sh.at(atOddDone))
	for _, q := range p.k.Params {
		m.Recall(p.ptr[q.Name], r.saved[q.Name])
	}
	m.Recall(n, r.left)
	m.Branch(n, Less, repeats+1, done)
	m.AddImm(n, -repeats)
	if r.mix != nil {
		m.Jump(sh.at(atAgain))
	} else {
		m.Jump(sh.at(atBegin))
	}
}
