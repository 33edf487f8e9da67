package quant

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
)

// Ranges are the ranges of a part's groups, as far as they have been observed, and which elements have been.
type Ranges struct {
	mu        sync.Mutex
	low, high []float32
	seen      []run // in their order, none beside another
}

// run is the elements [first, end).
type run struct{ first, end int }

// see adds elements to those that have been seen.
func (r *Ranges) see(first, end int) {
	lo, _ := slices.BinarySearchFunc(r.seen, first, func(s run, first int) int { return cmp.Compare(s.end, first) })
	hi := lo
	for ; hi < len(r.seen) && r.seen[hi].first <= end; hi++ {
		first, end = min(first, r.seen[hi].first), max(end, r.seen[hi].end)
	}
	r.seen = slices.Replace(r.seen, lo, hi, run{first, end})
}

// unseen returns the first of the elements [first, end) that has not been seen, or end.
func (r *Ranges) unseen(first, end int) int {
	for _, s := range r.seen {
		if s.first <= first && first < s.end {
			return min(s.end, end)
		}
	}
	return first
}

// whole returns a copy of the ranges of the elements [first, end), all of which must have been seen unless nothing needs to be.
func (r *Ranges) whole(first, end, groups int, fixed bool) (low, high []float32, err error) {
	if fixed {
		low, high = unbounded(nil, nil, groups)
		return low, high, nil
	}
	if r == nil {
		return nil, nil, missing("Ranges")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.low != nil && len(r.low) != groups {
		return nil, nil, shapeError("Ranges", len(r.low), "%d groups, as the part has", groups)
	}
	if at := r.unseen(first, end); at < end {
		return nil, nil, &Error{ErrNotObserved, fmt.Sprintf("Ranges of elements %d to %d", first, end-1), fmt.Sprintf("without element %d", at),
			"each piece of them observed"}
	}
	return slices.Clone(r.low), slices.Clone(r.high), nil
}

// of makes r ready for so many groups, if it has not been yet.
func (r *Ranges) of(groups int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.low == nil {
		r.low, r.high = unbounded(nil, nil, groups)
	}
	if len(r.low) != groups {
		return shapeError("Ranges", len(r.low), "%d groups, as the part of the piece has", groups)
	}
	return nil
}

// Merge widens r by other ranges of the same part. Of ranges of pieces, merged in any order and as often as one likes, come those of the whole. With
// another number of groups it is an ErrShape, and r stays as it was.
func (r *Ranges) Merge(other *Ranges) error {
	if r == nil || other == nil {
		return missing("Ranges")
	}
	other.mu.Lock()
	low, high, seen := slices.Clone(other.low), slices.Clone(other.high), slices.Clone(other.seen)
	other.mu.Unlock()
	if low == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.low == nil {
		r.low, r.high = unbounded(nil, nil, len(low))
	}
	if len(r.low) != len(low) {
		return shapeError("Ranges", len(low), "%d groups, as before", len(r.low))
	}
	widest(r.low, r.high, low, high)
	for _, s := range seen {
		r.see(s.first, s.end)
	}
	return nil
}

// The encoding of ranges, little-endian: the magic bytes, the number of groups (8 bytes), the number of runs of elements that have been seen (8)
// and each one's first and end (8, 8), the number of runs of groups that have a range (8) and each one's first group and number (8, 8), behind
// which are the groups' ends (4, 4).
const rangesMagic = "LBRANGE1"

// AppendBinary appends the encoding of the ranges, which UnmarshalBinary reads: eight bytes for each group that has one.
func (r *Ranges) AppendBinary(b []byte) ([]byte, error) {
	if r == nil {
		return b, missing("Ranges")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	word := func(n int) { b = binary.LittleEndian.AppendUint64(b, uint64(n)) }
	b = append(b, rangesMagic...)
	word(len(r.low))
	word(len(r.seen))
	for _, s := range r.seen {
		word(s.first)
		word(s.end)
	}
	runs := r.ranged()
	word(len(runs))
	for _, run := range runs {
		word(run.first)
		word(run.end - run.first)
		for g := run.first; g < run.end; g++ {
			b = elementF32.appendBits(b, oneNaN(r.low[g]))
			b = elementF32.appendBits(b, oneNaN(r.high[g]))
		}
	}
	return b, nil
}

// ranged returns the runs of groups that have a range.
func (r *Ranges) ranged() (runs []run) {
	for g := range r.low {
		switch {
		case r.low[g] == empty.Min && r.high[g] == empty.Max:
		case len(runs) > 0 && runs[len(runs)-1].end == g:
			runs[len(runs)-1].end++
		default:
			runs = append(runs, run{g, g + 1})
		}
	}
	return runs
}

// MarshalBinary returns the encoding of the ranges.
func (r *Ranges) MarshalBinary() ([]byte, error) { return r.AppendBinary(nil) }

// mostGroups is how many groups encoded ranges may have. Memory is taken for all of them, however few have a range.
const mostGroups = 1 << 28

// UnmarshalBinary replaces the ranges by encoded ones. Data that is none is an ErrState and leaves them as they were.
func (r *Ranges) UnmarshalBinary(data []byte) error {
	if r == nil {
		return missing("Ranges")
	}
	fail := func(found, want string) error { return &Error{ErrState, "ranges", found, want} }
	if len(data) < len(rangesMagic) || string(data[:len(rangesMagic)]) != rangesMagic {
		return fail("other data", "what MarshalBinary writes")
	}
	b, short := data[len(rangesMagic):], false
	word := func(most int) int {
		if len(b) < 8 {
			short = true
			return 0
		}
		n := binary.LittleEndian.Uint64(b)
		b = b[8:]
		if n > uint64(most) {
			short = true
			return 0
		}
		return int(n)
	}
	var read Ranges
	groups := word(mostGroups)
	for n, last := word(len(b)/16), -1; n > 0 && !short; n-- {
		s := run{word(math.MaxInt), word(math.MaxInt)}
		if s.first <= last || s.end <= s.first {
			return fail(fmt.Sprintf("elements %d to %d seen", s.first, s.end), "ascending runs, none beside another")
		}
		read.seen, last = append(read.seen, s), s.end
	}
	if groups > 0 && !short {
		read.low, read.high = unbounded(nil, nil, groups)
	}
	for n, at := word(len(b)/16), 0; n > 0 && !short; n-- {
		first, count := word(groups), word(groups)
		if first < at || count < 1 || count > groups-first || len(b) < 8*count {
			return fail(fmt.Sprintf("groups %d to %d", first, first+count), fmt.Sprintf("ascending runs of %d groups, with their ranges", groups))
		}
		for g := first; g < first+count; g, b = g+1, b[8:] {
			read.low[g] = math.Float32frombits(binary.LittleEndian.Uint32(b))
			read.high[g] = math.Float32frombits(binary.LittleEndian.Uint32(b[4:]))
		}
		at = first + count
	}
	if short || len(b) > 0 {
		return fail(fmt.Sprintf("%d bytes", len(data)), "what MarshalBinary writes, whole")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.low, r.high, r.seen = read.low, read.high, read.seen
	return nil
}
