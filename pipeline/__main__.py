"""`python -m pipeline`, and `accelerate launch -m pipeline` where several GPUs train the backbone."""

from pipeline.cli.main import main

if __name__ == "__main__":
    main(prog_name="fsvae-pipe")
