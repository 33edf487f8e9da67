package plan

// A function has several loops. Each is of a kind that says for which arguments it is, and prints itself. What they have
// in common is a shape: the code of a tile, of its group, and of what is left of a tile.

// loop is a kind of loop.
type loop interface {
	enter(p *printer) // prints the branch to it, if the arguments are such
	print(p *printer)
	core() *shape
}

// flatLoop runs over the elements of a kernel without groups.
type flatLoop struct{ *shape }

// wholeLoop is one for whole tiles only: there is nothing behind them.
type wholeLoop struct{ *shape }

// eachLoop runs over groups one by one.
type eachLoop struct{ *shape }

// longLoop is an eachLoop for groups of which more is worth to be computed. It has no tiles where groups meet.
type longLoop struct{ eachLoop }

// rowLoop runs over groups of any length, whose tiles may be of several of them.
type rowLoop struct {
	*shape
	*row
}

// shortLoop has tiles of several whole groups.
type shortLoop struct{ *shape }

// blockLoop is a shortLoop for whole tiles only, of a kernel that has no other.
type blockLoop struct{ *shape }

// laneLoop has groups of one element, and does for others what is rare there.
type laneLoop struct {
	*shape
	*row
}

// treeLoop reduces as many groups at a time as a register has lanes.
type treeLoop struct {
	*shape
	*tree
}

func (sh *shape) core() *shape { return sh }

func (flatLoop) enter(*printer)  {} // there is no other
func (wholeLoop) enter(*printer) {}
func (blockLoop) enter(*printer) {}
func (eachLoop) enter(*printer)  {} // it is for what others are not for
func (rowLoop) enter(*printer)   {}

func (l longLoop) enter(p *printer) {
	m, length := p.m, p.counts.length
	m.Branch(length, Less, manyTiles*4*m.Width(), p.pr.groups.at(atEntry))
	m.BranchMultiple(length, Equal, 4*m.Width(), l.at(atEntry))
	m.Branch(p.counts.groups, Equal, 1, l.at(atEntry))
}

func (l shortLoop) enter(p *printer) {
	p.m.Branch(p.counts.length, Equal, 4*p.m.Width()/l.share, l.name)
}

func (l laneLoop) enter(p *printer) { p.m.Branch(p.counts.length, Equal, 1, l.shape.at(atEntry)) }

func (l flatLoop) print(p *printer) {
	p.tiles(l.shape)
	p.ret()
}

func (l wholeLoop) print(p *printer) {
	p.loop(l.shape, false, p.counts.n, p.tileSize(), l.at(atEnd))
	p.ret()
}

func (l blockLoop) print(p *printer) {
	p.loop(l.shape, p.large(), p.counts.groups, l.share, l.at(atEnd))
	p.m.Label(l.at(atEnd))
	if stops(p.k) {
		p.m.Label(l.body.alarm)
		p.m.Arg(p.counts.n, "groups")
		p.m.Keep(Addr{Reg: p.counts.n}, p.counts.groups)
	}
	p.ret()
}

func (l laneLoop) print(p *printer) {
	m := p.m
	m.Label(l.shape.at(atEntry))
	m.Move(p.counts.n, p.counts.groups)
	m.KeepNumber(l.turned, 0)
	m.Label(l.shape.at(atRow))
	p.tiles(l.shape)
	m.BranchKept(l.turned, 1, p.pr.groups.at(atOddDone))
	p.ret()
}

// mark is a place in a loop to jump to: the loop's name and a mark make a label.
type mark string

// Marks of loops over tiles.
const (
	atEntry  mark = "s"      // before the first group
	atLoop   mark = "loop"   // the head, where a tile begins
	atStream mark = "stream" // the head of the loop that stores past the caches
	atLayout mark = "layout" // the heads of loops for layouts, with a number, and where it is asked for which
	atTail   mark = "tail"   // behind the last whole tile
	atRest   mark = "rest"   // what is left of a tile, by masks
	atStage  mark = "stage"  // the same, copied to the frame
	atStaged mark = "staged" // behind a tile that was in the frame
	atEnd    mark = "end"    // behind all of them
	atRare   mark = "rare"   // a tile of the rare kind leaves
	atBack   mark = "back"   // and comes back
	atResume mark = "resume" // with its pointers as they were
	atNarrow mark = "narrow" // behind the registers of a tail that hold something
)

// Marks of loops that look ahead.
const (
	atFirst  mark = "first"  // the first half of the first tile
	atAhead  mark = "ahead"  // the head
	atEnds   mark = "ends"   // one tile of the group is left
	atTurn   mark = "turn"   // it is done while the next group's first one begins
	atTurned mark = "turned" // the next group's first one is begun
	atLast   mark = "last"   // its second half alone
)

// Marks of a row, and of the lanes' loop for it.
const (
	atBegin    mark = "begin"    // a tile begins, of one group or of several
	atAgain    mark = "again"    // the same behind what the lanes' loop did, where parameters are mixed
	atGroup    mark = "next"     // a group of whole tiles begins
	atWhole    mark = "whole"    // behind a group's whole tiles
	atOver     mark = "over"     // some of the group's elements are left
	atToMeet   mark = "tomeet"   // tiles in which groups meet follow
	atEnding   mark = "ending"   // few groups are left
	atChosen   mark = "chosen"   // and their parameters are copied
	atMeet     mark = "meet"     // the head of the loop of such tiles
	atMet      mark = "met"      // behind it
	atWide     mark = "wide"     // behind it with a tile of the group left, or more
	atMeetRare mark = "meetrare" // one of the rare kind leaves
	atOdd      mark = "odd"      // some elements are for the lanes' loop
	atRow      mark = "row"      // where it begins
	atOddDone  mark = "odddone"  // and where it ends
	atDone     mark = "done"     // behind the row
)

// Labels that a function has once.
const (
	toFew    = "few"      // the few groups that a loop over several at a time has left go the general way
	toReturn = "return"   // behind all loops
	toFence  = "fence"    // the same, if the caller wants a fence
	toSpread = "spread"   // a rare tile has its parameters spread
	toRare   = "rare"     // and is done
	toTurn   = "rareturn" // by some registers a turn
)

func label(name string, m mark) string { return name + string(m) }

// at is a label of the loop.
func (sh *shape) at(m mark) string { return label(sh.name, m) }

// segments are those of a shape that go by its group's values.
func (sh *shape) segments() []*Seg {
	list := append([]*Seg{sh.body, sh.tail, sh.after}, sh.apart...)
	list = append(list, sh.lists()...)
	if a := sh.ahead; a != nil {
		list = append(list, a.segments()...)
	}
	return list
}
