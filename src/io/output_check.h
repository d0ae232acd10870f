// Whether an output can be written, asked before long work and not after it.
#pragma once
#include <string>

namespace purescope {

// Exit 73 where the folder of `path` is missing, is none or cannot be written, or where `path` itself is a folder. Creates nothing.
void require_creatable(const std::string& path);

// The same for an output of `images` images that the option `flag` names; an empty path is no output. Exit 2 where its name is that of a picture
// (.png, .jpg, .jpeg) and it is none: an array that cannot be one (`pictures` false), several images, or JPEG.
void check_output(const std::string& path, const std::string& flag, bool pictures = false, int images = 1);

}  // namespace purescope
