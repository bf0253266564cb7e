using Microsoft.Extensions.Time.Testing;
using Weir.Gateway.Calls;

namespace Weir.Tests.Gateway;

/// <summary>How long a call may take.</summary>
public sealed class PausableDeadlineTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void R15_progress_begins_the_limit_anew()
    {
        using var timeout = Start(60, 600);
        for (var i = 0; i < 5; i++)
        {
            Advance(59);
            timeout.IsOver.ShouldBeFalse();
            timeout.Extend();
        }

        Advance(61);
        timeout.IsOver.ShouldBeTrue();
        timeout.Missed.ShouldBe("did not answer, and made no progress for 60 s");
    }

    [Fact]
    public void R15_no_progress_goes_over_the_maximum()
    {
        using var timeout = Start(60, 600);
        var seconds = 0;
        while (!timeout.IsOver)
        {
            Advance(10);
            seconds += 10;
            timeout.Extend();
        }

        seconds.ShouldBe(600);
        timeout.Missed.ShouldBe("did not answer within 600 s, the most that a call may take");
    }

    [Fact]
    public void R15_without_progress_the_limit_is_what_it_was()
    {
        using var timeout = Start(60, 600);
        Advance(59);
        timeout.IsOver.ShouldBeFalse();
        Advance(1);
        timeout.IsOver.ShouldBeTrue();
        timeout.Missed.ShouldBe("did not answer within 60 s");
    }

    [Fact]
    public void R15_the_time_of_a_question_counts_for_neither()
    {
        using var timeout = Start(60, 100);
        Advance(50);
        timeout.Pause();
        Advance(3000);
        timeout.Extend();
        timeout.Resume();
        Advance(49);
        timeout.IsOver.ShouldBeFalse("50 and 49 of 100 s are used");
        Advance(1);
        timeout.IsOver.ShouldBeTrue();
    }

    [Fact]
    public void R15_a_limit_beyond_the_maximum_is_the_maximum()
    {
        using var timeout = Start(3600, 600);
        Advance(600);
        timeout.IsOver.ShouldBeTrue();
    }

    private PausableDeadline Start(int limit, int most) => new(TimeSpan.FromSeconds(limit), TimeSpan.FromSeconds(most), _time);

    private void Advance(int seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));
}
