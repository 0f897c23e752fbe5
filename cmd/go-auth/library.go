package main

import (
	"debug/buildinfo"
	"debug/elf"
	"path/filepath"
	"runtime"
	"slices"

	"mosquitto-go-auth/conf"
)

// library looks at the file of a plugin. Where the broker looks for a relative
// path depends on where it is started, so that is not looked for.
func library(p *conf.Plugin) (faults, warnings []conf.Remark) {
	if !filepath.IsAbs(p.Path) {
		return nil, nil
	}
	fault := func(text string) ([]conf.Remark, []conf.Remark) {
		return []conf.Remark{{At: p.At, Text: text}}, nil
	}
	f, err := elf.Open(p.Path)
	if err != nil {
		return fault("the broker does not start without the plugin: " + err.Error())
	}
	defer f.Close()
	if machine, ok := machines[runtime.GOARCH]; ok && f.Machine != machine {
		return fault(p.Path + " is for another kind of machine (" + f.Machine.String() + "); build it on this one")
	}
	symbols, err := f.DynamicSymbols()
	exports := func(name string) bool {
		return err == nil && slices.ContainsFunc(symbols, func(s elf.Symbol) bool {
			return s.Name == name && s.Section != elf.SHN_UNDEF
		})
	}
	switch {
	case exports("mosquitto_auth_plugin_init"):
		return fault(p.Path + " is a plugin of the time before Mosquitto 2.0, such as a predecessor's: " +
			"the options below are read by that one; put this project's go-auth.so in its place")
	case !exports("mosquitto_plugin_init"):
		return fault(p.Path + " is no plugin for Mosquitto 2.0 and later")
	}
	if info, err := buildinfo.ReadFile(p.Path); err != nil || info.Main.Path != module {
		return nil, []conf.Remark{{At: p.At, Text: p.Path + " is a plugin, but not this project's go-auth.so, " +
			"which the options below are checked for"}}
	}
	return nil, nil
}

// module is the path of this module.
const module = "mosquitto-go-auth"

// machines are those whose libraries are told apart.
var machines = map[string]elf.Machine{
	"386": elf.EM_386, "amd64": elf.EM_X86_64, "arm": elf.EM_ARM, "arm64": elf.EM_AARCH64,
	"riscv64": elf.EM_RISCV, "s390x": elf.EM_S390,
}
