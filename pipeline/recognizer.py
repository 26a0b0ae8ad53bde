"""Where programs import `Recognizer` from: `from pipeline.recognizer import Recognizer`."""

from pipeline.predict.recognizer import Recognizer as Recognizer
