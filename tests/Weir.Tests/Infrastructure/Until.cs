namespace Weir.Tests.Infrastructure;

/// <summary>Waits for a condition, with a deadline instead of a guess.</summary>
internal static class Until
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    public static async Task True(Func<bool> condition, string because, TimeSpan? timeout = null) =>
        await AsyncValue<bool>(() => Task.FromResult<bool?>(condition() ? true : null), because, timeout);

    public static async Task AsyncTrue(Func<Task<bool>> condition, string because, TimeSpan? timeout = null) =>
        await AsyncValue<bool>(async () => await condition() ? true : null, because, timeout);

    /// <param name="because">What was waited for, made when it has not come.</param>
    public static async Task AsyncTrue(Func<Task<bool>> condition, Func<string> because)
    {
        try
        {
            await AsyncTrue(condition, "");
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException(e.Message + because(), e);
        }
    }

    /// <summary>The first value that is not null.</summary>
    public static async Task<T> AsyncValue<T>(Func<Task<T?>> probe, string because = "a value", TimeSpan? timeout = null)
        where T : struct
    {
        var deadline = TimeProvider.System.GetUtcNow() + (timeout ?? Timeout);
        while (true)
        {
            if (await probe() is { } value)
            {
                return value;
            }

            if (TimeProvider.System.GetUtcNow() > deadline)
            {
                throw new TimeoutException($"Not within {timeout ?? Timeout}: {because}");
            }

            await Task.Delay(Pause, TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }
}
