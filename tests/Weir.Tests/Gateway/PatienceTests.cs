using Microsoft.Extensions.Time.Testing;
using Weir.Gateway;

namespace Weir.Tests.Gateway;

/// <summary>How long a call may take.</summary>
public sealed class PatienceTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void R15_progress_begins_the_limit_anew()
    {
        using var patience = Start(60, 600);
        for (var i = 0; i < 5; i++)
        {
            Advance(59);
            patience.IsOver.ShouldBeFalse();
            patience.Extend();
        }

        Advance(61);
        patience.IsOver.ShouldBeTrue();
        patience.Missed.ShouldBe("did not answer, and made no progress for 60 s");
    }

    [Fact]
    public void R15_no_progress_goes_over_the_maximum()
    {
        using var patience = Start(60, 600);
        var seconds = 0;
        while (!patience.IsOver)
        {
            Advance(10);
            seconds += 10;
            patience.Extend();
        }

        seconds.ShouldBe(600);
        patience.Missed.ShouldBe("did not answer within 600 s, the most that a call may take");
    }

    [Fact]
    public void R15_without_progress_the_limit_is_what_it_was()
    {
        using var patience = Start(60, 600);
        Advance(59);
        patience.IsOver.ShouldBeFalse();
        Advance(1);
        patience.IsOver.ShouldBeTrue();
        patience.Missed.ShouldBe("did not answer within 60 s");
    }

    [Fact]
    public void R15_the_time_of_a_question_counts_for_neither()
    {
        using var patience = Start(60, 100);
        Advance(50);
        patience.Pause();
        Advance(3000);
        patience.Extend();
        patience.Resume();
        Advance(49);
        patience.IsOver.ShouldBeFalse("50 and 49 of 100 s are used");
        Advance(1);
        patience.IsOver.ShouldBeTrue();
    }

    [Fact]
    public void R15_a_limit_beyond_the_maximum_is_the_maximum()
    {
        using var patience = Start(3600, 600);
        Advance(600);
        patience.IsOver.ShouldBeTrue();
    }

    private Patience Start(int limit, int most) => new(TimeSpan.FromSeconds(limit), TimeSpan.FromSeconds(most), _time);

    private void Advance(int seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));
}
