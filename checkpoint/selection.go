package checkpoint

import (
	"fmt"
	"regexp"
)

// Selection says which tensors are taken, by their names. The zero value says nothing.
type Selection struct{ Include, Exclude *regexp.Regexp } // either may be nil

// None tells whether nothing is said.
func (s Selection) None() bool { return s.Include == nil && s.Exclude == nil }

// Takes tells whether a tensor of that name is taken.
func (s Selection) Takes(name string) bool {
	return (s.Include == nil || s.Include.MatchString(name)) && (s.Exclude == nil || !s.Exclude.MatchString(name))
}

// TakesMatrix tells whether a preset takes a tensor: what IsWeight tells or, if anything is said, a matrix that is taken.
func (s Selection) TakesMatrix(t *Tensor) bool {
	if s.None() {
		return IsWeight(t)
	}
	return t.Rank() == 2 && s.Takes(t.Name())
}

// String tells one selection from another.
func (s Selection) String() string {
	text := func(re *regexp.Regexp) string {
		if re == nil {
			return ""
		}
		return re.String()
	}
	return fmt.Sprintf("include %q exclude %q", text(s.Include), text(s.Exclude))
}
