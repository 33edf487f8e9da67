package kernels

// The assembly wants the reciprocals of scales. They are made for so many
// groups at a time, in a buffer on the stack that stays in the L1 cache; a call
// with fewer groups gets a smaller one, which costs less to clear.
//
// A reciprocal is NaN where division without dividing would not be exact, with
// scales beyond 2^-80 and 2^100: then the assembly divides. TestDivision has
// the proof for all others.
const (
	manyGroups = 1024
	someGroups = 256
	fewGroups  = 16
)

// widenedLen is how many elements of 16 bits become float32s at a time where there is
// no assembly for them.
const widenedLen = 2048

// mostElements is what one call of assembly works on: it cannot be preempted,
// and the collector waits for it.
const mostElements = 1 << 20

// spans visits the groups base to base+n of every row, in pieces of at most so
// many elements: some whole groups, or a part of one.
type spans struct {
	g       Grid
	base, n int
	most    int
	to      streaming

	off            int // the piece's first element
	first          int // its first group, of the n
	groups, length int
	ahead          int // more than fence if whole tiles are streamed: input is fetched so many bytes ahead

	row, next, done int // where the one after it begins
}

// visit sets what is visited. A composite literal would be made elsewhere and copied.
func (s *spans) visit(g Grid, base, n, most int, to streaming) {
	s.g, s.base, s.n, s.most, s.to = g, base, n, most, to
}

func (s *spans) advance() bool {
	if s.row == s.g.Rows {
		return false
	}
	if s.g.Rows == 1 && s.to.unit == 0 && s.n*s.g.Len <= s.most { // all in one
		s.off, s.groups, s.length, s.row = s.base*s.g.Len, s.n, s.g.Len, 1
		return true
	}
	s.first = s.next
	s.off = (s.row*s.g.Groups+s.base+s.first)*s.g.Len + s.done
	whole, most := s.to.piece(s)
	if whole {
		s.groups, s.length = s.n-s.first, s.g.Len
		if s.groups*s.length > most {
			s.groups = most / s.length
		}
		s.next += s.groups
	} else {
		s.groups, s.length = 1, min(most, s.g.Len-s.done)
		if s.done += s.length; s.done == s.g.Len {
			s.done = 0
			s.next++
		}
	}
	if s.next == s.n {
		s.next = 0
		s.row++
	}
	if s.to.unit > 0 && s.row == s.g.Rows { // the last
		s.ahead |= fence
	}
	return true
}

// flat visits a slice that is one group.
func (s *spans) flat(n int, to streaming) { s.visit(Grid{1, 1, n}, 0, 1, mostElements, to) }
