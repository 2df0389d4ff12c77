"""What the sample folder holds: one entry a picture, in the order of its folders."""

from dataclasses import dataclass

RGB = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a picture comes from and on what terms."""

    package: str  # key of build.py's command line and of PACKAGE_VERSIONS
    member: str  # file inside the unpacked package
    author: str
    licence: str
    origin: str | None = None  # where the package says it has the picture from


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of the folder. The suffix of `path` chooses the file format."""

    path: str
    caption: str
    source: Source
    mode: str = "RGB"  # "RGBA" keeps the transparency, "CMYK" and "L" are stored so
    background: RGB | None = None  # puts a cut-out on a backdrop of this colour
    orientation: int = 1  # EXIF orientation; the pixels are turned so that the picture is shown upright
    taken: str | None = None  # EXIF date and time
    place: tuple[float, float] | None = None  # degrees north, degrees east


def photo(name: str, author: str, licence: str, origin: str | None = None) -> Source:
    """A photograph of scikit-image's data folder; the terms stand in the docstrings of skimage/data/_fetchers.py."""
    return Source("scikit-image", f"skimage/data/{name}", author, licence, origin)


def scenery(name: str, author: str, origin: str) -> Source:
    """A photograph of scikit-learn; the terms stand in sklearn/datasets/images/README.txt."""
    return Source("scikit-learn", f"sklearn/datasets/images/{name}", author, "CC BY 2.0", origin)


def render(code_point: str) -> Source:
    """A cut-out of the emoji set, 256 px square; files are named after their Unicode code point."""
    return Source("@lobehub/fluent-emoji-3d", f"assets/{code_point}.webp", "Microsoft, packaged by LobeHub", "MIT")


CC0 = "CC0 1.0"
PUBLIC = "public domain"
FLICKR = "https://www.flickr.com/photos"
HUBBLE_SITE = "http://hubblesite.org/newscenter/archive/releases"
PACKAGE_VERSIONS = {"scikit-image": "0.26.0", "scikit-learn": "1.9.1", "@lobehub/fluent-emoji-3d": "1.1.0"}

SAMPLES = (
    # animals
    Sample(
        "animals/cat.jpg",
        "A tabby cat with green eyes.",
        photo("chelsea.png", "Stéfan van der Walt", CC0),
        orientation=6,
        taken="2024:02:11 16:20:05",
    ),
    Sample("animals/butterfly.jpg", "A red butterfly with open wings.", render("1f98b"), background=(202, 226, 240)),
    Sample("animals/cow.jpg", "A black and white cow.", render("1f404"), background=(206, 228, 190)),
    Sample("animals/elephant.jpg", "A grey elephant.", render("1f418"), background=(224, 208, 176)),
    Sample("animals/fox.webp", "The face of a red fox.", render("1f98a"), background=(228, 234, 226)),
    Sample("animals/rabbit.webp", "A white rabbit.", render("1f407"), background=(206, 226, 200)),
    # food
    Sample(
        "food/coffee.jpg",
        "A cup of espresso on a red saucer.",
        photo("coffee.png", "Rachel Michetti, Pikolo Espresso Bar", CC0),
        taken="2023:10:08 09:41:30",
        place=(45.5017, -73.5673),
    ),
    Sample("food/donut.png", "A chocolate glazed donut with sprinkles.", render("1f369"), mode="RGBA"),
    Sample("food/pizza.jpg", "A slice of pepperoni pizza.", render("1f355"), background=(228, 236, 228)),
    Sample("food/spaghetti.webp", "A plate of spaghetti with a fork.", render("1f35d"), background=(238, 240, 232)),
    # home
    Sample("home/alarm-clock.jpg", "A red alarm clock.", render("23f0"), background=(228, 232, 240)),
    Sample("home/bathtub.jpg", "A bathtub with a shower.", render("1f6c1"), background=(214, 230, 236)),
    Sample("home/books.jpg", "Three colorful books.", render("1f4da"), background=(240, 234, 224)),
    Sample("home/christmas-tree.jpg", "A decorated Christmas tree.", render("1f384"), background=(244, 232, 216)),
    Sample("home/laptop.webp", "An open laptop computer.", render("1f4bb"), background=(232, 228, 222)),
    Sample("home/teddy-bear.jpg", "A brown teddy bear.", render("1f9f8"), background=(226, 232, 244)),
    Sample("home/television.jpg", "An old television.", render("1f4fa"), background=(232, 228, 216)),
    Sample("home/wooden-chair.jpg", "A wooden chair.", render("1fa91"), background=(236, 230, 222)),
    Sample("home/umbrella.png", "A purple umbrella.", render("2602-fe0f"), mode="RGBA"),
    # music
    Sample("music/accordion.jpg", "A pink accordion.", render("1fa97"), background=(226, 232, 238)),
    Sample("music/drum.jpg", "A drum with two drumsticks.", render("1f941"), background=(234, 232, 220)),
    Sample("music/guitar.png", "A red electric guitar.", render("1f3b8"), mode="RGBA"),
    # nature
    Sample(
        "nature/dahlia.webp",
        "An orange flower in front of dark green leaves.",
        scenery("flower.jpg", "vultilion", f"{FLICKR}/vultilion/6056698931"),
    ),
    Sample(
        "nature/galaxies.jpg",
        "Galaxies and stars in deep space.",
        photo("hubble_deep_field.jpg", "NASA", PUBLIC, f"{HUBBLE_SITE}/2012/37/image/a"),
    ),
    # people
    Sample(
        "people/astronaut.jpg",
        "A smiling astronaut in an orange space suit.",
        photo("astronaut.png", "NASA", PUBLIC, "https://flic.kr/p/r9qvLn"),
    ),
    Sample(
        "people/photographer.jpg",
        "A man in a black coat looking through a camera on a tripod.",
        photo("camera.png", "Lav Varshney", CC0),
        mode="L",
    ),
    # things to wear and to play with
    Sample(
        "sport/parachute.jpg",
        "A person hanging from a colorful parachute.",
        render("1fa82"),
        background=(190, 218, 246),
    ),
    Sample("sport/soccer-ball.jpg", "A soccer ball.", render("26bd"), background=(200, 226, 186)),
    Sample("wardrobe/backpack.jpg", "A pink backpack.", render("1f392"), mode="CMYK", background=(236, 238, 232)),
    Sample("wardrobe/hiking-boot.jpg", "A hiking boot.", render("1f97e"), background=(220, 228, 212)),
    Sample("wardrobe/sunglasses.png", "A pair of dark sunglasses.", render("1f576-fe0f"), background=(244, 236, 214)),
    # travel
    Sample("travel/bicycle.avif", "A red bicycle.", render("1f6b2"), background=(226, 234, 222)),
    Sample("travel/bridge.webp", "A suspension bridge at night.", render("1f309"), background=(42, 46, 84)),
    Sample("travel/bus.jpg", "A yellow bus.", render("1f68c"), background=(214, 222, 230)),
    Sample("travel/canoe.jpg", "A canoe on the water.", render("1f6f6"), background=(212, 232, 246)),
    Sample("travel/delivery-truck.jpg", "A yellow delivery truck.", render("1f69a"), background=(222, 228, 234)),
    Sample(
        "travel/pagoda.heic",
        "A Chinese pagoda above a lake.",
        scenery("china.jpg", "danielbuechele", f"{FLICKR}/danielbuechele/6061409035"),
        taken="2024:05:01 08:15:00",
        place=(39.9997, 116.2755),
    ),
    Sample(
        "travel/rocket.jpg",
        "A rocket on its launch pad at night.",
        photo("rocket.jpg", "SpaceX", PUBLIC, f"{FLICKR}/spacexphotos/16511594820"),
        taken="2024:06:21 21:30:12",
        place=(28.5620, -80.5772),
    ),
    Sample("travel/statue-of-liberty.jpg", "The Statue of Liberty.", render("1f5fd"), background=(206, 226, 246)),
    Sample("travel/tractor.jpg", "A green tractor.", render("1f69c"), background=(236, 226, 196)),
)
