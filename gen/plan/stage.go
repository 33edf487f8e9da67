package plan

import (
	"slices"
	"strconv"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// What is left of a tile is copied to the frame, filled up there, and done by
// the loop's own code: pointers are set to the frame for one turn. Routines of
// the machine, which all functions call, copy. A tile that the formula is not
// right for is done in another way, of which a function has one copy: that
// takes parameters one for each element, from the frame where they are a group's.

// frame is what a function keeps on the stack.
type frame struct {
	size   int
	slack  int             // in front of what the machine may align
	stage  map[string]Addr // a tile of each array, each behind the pointer that is set to it
	left   Addr            // what a row's group has left
	origin Addr            // the shape that a rare tile is of
	places []Addr          // what a tree's rounds leave, for each fold
}

// take adds so many bytes.
func (f *frame) take(size int) Addr {
	a := Addr{Stack: true, Disp: f.size}
	f.size += (size + 7) &^ 7
	return a
}

// takeRegisters adds room for registers of so many bytes.
func (f *frame) takeRegisters(n, size int) Addr {
	f.size = (f.size + 15) &^ 15
	return f.take(n * size)
}

// takeStaged adds so many bytes behind room for the pointer to where they come from.
func (f *frame) takeStaged(size int) Addr {
	f.take(8)
	return f.take(size)
}

// takeAligned does so for what the machine may align.
func (f *frame) takeAligned(size int) Addr {
	f.take(f.slack)
	return f.takeStaged(size)
}

// pointer is where the pointer of what is staged at a place is.
func pointer(at Addr) Addr {
	at.Disp -= 8
	return at
}

// layout makes room for what is staged.
func (p *planner) layout() frame {
	f := frame{stage: map[string]Addr{}, slack: p.m.Slack()}
	if p.k.Whole {
		return f
	}
	passes := !p.m.Masks() || p.k.Grouped() && !p.k.Folds() || p.hasRare()
	arrays := p.arrays()
	for _, a := range arrays {
		if !passes && a.Mem != ir.MemBits && a.Mem != ir.MemMask {
			continue
		}
		bits := a.Mem.Bits()
		if a.Mem.ByWord() {
			bits = ir.MemByte.Bits()
		}
		take := f.takeAligned
		if p.k.Folds() {
			take = f.takeStaged
		}
		f.stage[a.Name] = take(max(16, 4*p.m.Width()*bits/8))
	}
	if !passes {
		return f
	}
	f.left, f.origin = f.take(8), f.take(8)
	return f
}

// passing are the arrays that a shape's last tile passes through the frame.
func (p *printer) passing(sh *shape) []*ir.Stream {
	if sh.lanes {
		return p.arrays()
	}
	return p.streams
}

// stageIn sets pointers to what is left of a tile.
func (p *printer) stageIn(sh *shape) {
	behind := Addr{} // an array that has passed
	for _, a := range p.passing(sh) {
		at, ptr := p.pr.stage[a.Name], p.ptr[a.Name]
		switch {
		case a.In && p.k.Folds():
			p.m.StageIn(at, ptr, a.Mem.Bits(), true)
			p.m.Point(ptr, at)
		case a.In:
			if a.Mem.ByWord() {
				p.m.PassWord(a)
			}
			if at != behind {
				p.m.PassTo(at)
			}
			p.m.Pass(left(a.Mem), ptr)
			behind = Addr{Stack: true, Disp: at.Disp + Left.Room(p.m)}
		default:
			p.m.Divert(at, ptr)
		}
	}
}

// left is how what is left of a tile passes.
func left(mem ir.Mem) Way {
	if mem.ByWord() {
		return "stageInCodes"
	}
	return Way("stageIn" + strconv.Itoa(mem.Bits()))
}

// pass sets the pointers of all parameters to what passes to the frame of them, from a place on.
func (p *printer) pass(w Way, to Addr) {
	p.m.PassTo(to)
	for _, q := range p.k.Params {
		p.m.Pass(w, p.ptr[q.Name])
	}
}

// stageOut stores results where they belong. Nothing follows them, and pointers stay; but where groups are folded others may
// follow, and input's pointers are brought behind what is done.
func (p *printer) stageOut(sh *shape) {
	for _, a := range p.passing(sh) {
		ptr, at := p.ptr[a.Name], p.pr.stage[a.Name]
		switch {
		case a.Out && a.Mem.ByWord():
			p.m.StageOutBy(at, a)
		case a.Out:
			p.m.StageOut(at, a.Mem.Bits())
		case p.k.Folds():
			p.m.Recall(ptr, pointer(at))
			p.m.AddBits(ptr, p.n, a.Mem.Bits())
		}
	}
}

// tail does what is left of a tile, if anything is. Where that is staged, the loop's count is below zero behind it.
func (p *printer) tail(sh *shape) {
	m, n := p.m, p.n
	m.Label(sh.at(atTail))
	m.Branch(n, Equal, 0, sh.at(atEnd))
	if !sh.masked {
		m.Branch(n, GreaterEqual, 0, sh.at(atStage))
		p.staged(sh)
		m.Label(sh.at(atEnd))
		return
	}
	if p.hasRare() {
		m.Branch(n, Less, 0, sh.at(atStaged))
	}
	m.Label(sh.at(atRest))
	p.masked(sh)
	m.Label(sh.at(atEnd))
	if p.hasRare() {
		p.aside = append(p.aside, func() {
			m.Label(sh.at(atStaged))
			p.staged(sh)
			m.Jump(sh.at(atEnd))
		})
	}
}

// rest is where fewer elements than a tile are done.
func (sh *shape) rest() string {
	if sh.masked {
		return sh.at(atRest)
	}
	return sh.at(atStage)
}

// staged ends a tile that was staged; the way to stage one is printed out of the loops' way.
func (p *printer) staged(sh *shape) {
	m := p.m
	m.AddImm(p.n, p.tileSize())
	p.stageOut(sh)
	p.aside = append(p.aside, func() {
		m.Label(sh.at(atStage))
		p.stageIn(sh)
		m.Jump(sh.at(atLoop))
	})
}

// masked does what is left of a tile with masks.
func (p *printer) masked(sh *shape) {
	for _, a := range p.streams {
		if a.In && a.Mem == ir.MemBits {
			p.m.StageIn(p.pr.stage[a.Name], p.ptr[a.Name], a.Mem.Bits(), false)
		}
	}
	p.m.TailMasks(p.n)
	p.run(sh.tail)
	for _, a := range p.streams {
		ptr, at := p.ptr[a.Name], p.pr.stage[a.Name]
		switch {
		case a.Mem == ir.MemMask:
			p.m.Keep(pointer(at), ptr)
			p.m.StageOutBy(at, a)
		case a.Out && a.Mem == ir.MemBits:
			p.m.Keep(pointer(at), ptr)
			p.m.StageOut(at, a.Mem.Bits())
		case p.k.Folds(): // others may follow
			p.m.AddBits(ptr, p.n, a.Mem.Bits())
		}
	}
}

// tile prints a shape's tile, and how it is done if it is a rare one.
func (p *printer) tile(sh *shape) {
	m := p.m
	p.run(sh.body)
	if !p.hasRare() {
		return
	}
	m.Label(sh.at(atBack))
	p.origins = append(p.origins, sh)
	number := len(p.origins)
	p.aside = append(p.aside, func() {
		m.Label(sh.body.alarm)
		if p.k.Grouped() {
			m.KeepNumber(p.pr.origin, number)
		}
		if p.spreads(sh) {
			m.SetGroups(sh.share)
			m.Jump(toSpread)
		} else {
			m.Jump(toRare)
		}
	})
}

// spreads reports whether a shape has parameters that a rare tile takes one for each element.
func (p *printer) spreads(sh *shape) bool { return !sh.lanes && p.k.Grouped() }

// rarely prints what is done instead of a tile, and how each shape goes on: one whose parameters were spread
// has its pointers back first, and where they are in registers these are loaded again.
func (p *printer) rarely() {
	m := p.m
	if !p.hasRare() {
		return
	}
	if p.k.Grouped() {
		m.Label(toSpread)
		p.pass(Spread, p.pr.stage[p.k.Params[0].Name])
	}
	m.Label(toRare)
	if p.k.Upward { // from the first rare tile on: no other needs that, and to change it takes longer than a tile
		m.RoundUpward(true)
	}
	p.turns()
	if p.rareAlone {
		p.run(p.pr.call)
	}
	if !p.k.Grouped() {
		m.Jump(p.origins[0].at(atBack))
		return
	}
	branch := func(at mark, where func(sh *shape) bool) {
		for i, sh := range p.origins {
			if where(sh) {
				m.BranchKept(p.pr.origin, i+1, sh.at(at))
			}
		}
	}
	branch(atBack, func(sh *shape) bool { return !p.spreads(sh) })
	for _, q := range p.params() {
		m.Recall(p.ptr[q.Name], pointer(p.pr.stage[q.Name]))
	}
	branch(atBack, func(sh *shape) bool { return p.spreads(sh) && sh.share > 1 })
	one := func(sh *shape) bool { return sh != p.pr.groups && sh.share == 1 && p.spreads(sh) }
	branch(atResume, one)
	for _, sh := range append([]*shape{p.pr.groups}, slices.DeleteFunc(slices.Clone(p.origins), func(sh *shape) bool { return !one(sh) })...) {
		m.Label(sh.at(atResume))
		p.run(sh.group)
		m.Jump(sh.at(atBack))
	}
}
