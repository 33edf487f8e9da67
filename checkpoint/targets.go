package checkpoint

import (
	"regexp"
	"strings"
)

// targets are what compressed-tensors names modules by, each for a group. A config.json may name every module of a model by itself.
type targets struct {
	byName    map[string]*ctGroup
	byPattern []targetPattern
	byClass   *ctGroup // the first that names a class, which a checkpoint does not tell
}

type targetPattern struct {
	*regexp.Regexp
	group *ctGroup
}

// add adds what names the modules of a group. Of two groups the one that was added first has a module. The error has the text of what is no
// pattern.
func (t *targets) add(g *ctGroup, names []string) (failed string, err error) {
	if t.byName == nil {
		t.byName = map[string]*ctGroup{}
	}
	for _, name := range names {
		if pattern, ok := strings.CutPrefix(name, "re:"); ok {
			// It matches at the start of a name, as Python's re.match does.
			re, err := regexp.Compile(`^(?:` + pattern + `)`)
			if err != nil {
				return name, err
			}
			t.byPattern = append(t.byPattern, targetPattern{re, g})
			continue
		}
		if t.byName[name] == nil {
			t.byName[name] = g
		}
		if t.byClass == nil && !strings.Contains(name, ".") && name != "" && name[0] >= 'A' && name[0] <= 'Z' {
			t.byClass = g
		}
	}
	return "", nil
}

// named returns the group of a module that is named by itself or by a pattern; nil if there is none.
func (t *targets) named(module string) *ctGroup {
	if g := t.byName[module]; g != nil {
		return g
	}
	for _, p := range t.byPattern {
		if p.MatchString(module) {
			return p.group
		}
	}
	return nil
}

// group returns the group whose targets name a module best: by its name, by a pattern, or by its class.
func (t *targets) group(module string) *ctGroup {
	if g := t.named(module); g != nil {
		return g
	}
	return t.byClass
}
