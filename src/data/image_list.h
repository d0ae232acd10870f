// Which images a folder holds, in which order, and of which classes: from its class folders, or from a text file beside it.
#pragma once
#include <string>
#include <vector>

namespace purescope {

struct ImageEntry {
  std::string path, source;  // source: the path inside the folder
  int label;
};

struct ImageList {
  std::vector<ImageEntry> entries;
  std::vector<std::string> class_names;
  bool ranked = false;  // class numbers are ranks among `class_names`
  std::string order;    // which convention the order follows, for people
};

// FOLDER/CLASS/*.jpg, jpeg, png (any case). Class numbers: the ranks of the sorted folder names. Order: the first image of every class,
// then the second of every class, and so on. Errors: 65, 66, 77.
ImageList read_class_folders(const std::string& folder);

// The same with a text file that says which images count, by the form of its lines (all alike; CR and spaces at the ends of a line do
// not count):
//   CLASS/FILE   in the order of the lines (RobustBench's list of ImageNet images); class numbers as above, among all class folders
//   FILE LABEL   a flat folder, in the order of the lines; one line for each file
//   LABEL        a flat folder, in the order of the file numbers 1, 2, 3, ... at the ends of the names (ILSVRC2012_val_00000001.JPEG):
//                line k is the label of file k; there may be more lines than files, not fewer, and no number may be left out
// LABEL is 0 to 999: the rank of the class among the 1000 sorted synset names, which is the order of ImageNet classifiers. The ids of
// the ILSVRC2012 development kit (1 to 1000) are in another order; they are refused where they can be told: an id of 1000, or the ids
// of the first five images. Errors: 65 for everything that does not fit, 66 no such list, 77.
ImageList read_image_list(const std::string& folder, const std::string& list);

}  // namespace purescope
